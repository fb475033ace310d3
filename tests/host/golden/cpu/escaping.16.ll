; kernel escaping, 16 threads a vector

define void @sm_entry(ptr noalias %arguments, i64 %begin, i64 %end) nounwind {
entry:
  %group.36 = alloca i64, align 64
  %vector.62 = alloca i64, align 64
  %counter.63 = alloca i32, align 64
  %counter.69 = alloca i32, align 64
  %counter.77 = alloca i32, align 64
  %live.85 = alloca <16 x i1>, align 64
  %total.86 = alloca <16 x i32>, align 64
  %live.89 = alloca <16 x i1>, align 64
  %iteration.90 = alloca <16 x i1>, align 64
  %k.91 = alloca i32, align 64
  %live.187 = alloca <16 x i1>, align 64
  %live.190 = alloca <16 x i1>, align 64
  %iteration.191 = alloca <16 x i1>, align 64
  %k.192 = alloca i32, align 64
  %t1 = getelementptr i64, ptr %arguments, i64 0
  %t2 = load i64, ptr %t1, !invariant.load !0
  %t3 = trunc i64 %t2 to i32
  %t4 = getelementptr i64, ptr %arguments, i64 1
  %t5 = load i64, ptr %t4, !invariant.load !0
  %t6 = trunc i64 %t5 to i32
  %t7 = getelementptr i64, ptr %arguments, i64 2
  %t8 = load i64, ptr %t7, !invariant.load !0
  %t9 = trunc i64 %t8 to i32
  %t10 = getelementptr i64, ptr %arguments, i64 3
  %t11 = load i64, ptr %t10, !invariant.load !0
  %t12 = trunc i64 %t11 to i32
  %t13 = getelementptr i64, ptr %arguments, i64 4
  %t14 = load i64, ptr %t13, !invariant.load !0
  %t15 = trunc i64 %t14 to i32
  %t16 = getelementptr i64, ptr %arguments, i64 5
  %t17 = load i64, ptr %t16, !invariant.load !0
  %t18 = trunc i64 %t17 to i32
  %t19 = getelementptr i64, ptr %arguments, i64 6
  %t20 = load i64, ptr %t19, !invariant.load !0
  %t21 = trunc i64 %t20 to i32
  %t22 = getelementptr i64, ptr %arguments, i64 7
  %t23 = load i64, ptr %t22, !invariant.load !0
  %t24 = trunc i64 %t23 to i32
  %t25 = getelementptr i64, ptr %arguments, i64 8
  %t26 = load i64, ptr %t25, !invariant.load !0
  %t27 = trunc i64 %t26 to i32
  %t28 = getelementptr i64, ptr %arguments, i64 11
  %t29 = load i64, ptr %t28, !invariant.load !0
  %t30 = getelementptr i64, ptr %arguments, i64 12
  %t31 = load i64, ptr %t30, !invariant.load !0
  %t32 = getelementptr i64, ptr %arguments, i64 10
  %t33 = load ptr, ptr %t32, !invariant.load !0
  %t34 = getelementptr i64, ptr %arguments, i64 13
  %t35 = load i32, ptr %t34, !invariant.load !0
  store i64 %begin, ptr %group.36
  br label %groups.37
groups.37:
  %t41 = load i64, ptr %group.36
  %t42 = icmp slt i64 %t41, %end
  br i1 %t42, label %group.38, label %done.39
group.38:
  %t43 = sext i32 %t21 to i64
  %t44 = sext i32 %t24 to i64
  %t45 = sext i32 %t27 to i64
  %t46 = sdiv i64 %t41, %t43
  %t47 = srem i64 %t41, %t43
  %t48 = srem i64 %t46, %t44
  %t49 = sdiv i64 %t46, %t44
  %t50 = trunc i64 %t47 to i32
  %t51 = mul i32 %t50, %t12
  %t52 = sub i32 %t3, %t51
  %t53 = call i32 @llvm.smin.i32(i32 %t52, i32 %t12)
  %t54 = trunc i64 %t48 to i32
  %t55 = mul i32 %t54, %t15
  %t56 = sub i32 %t6, %t55
  %t57 = call i32 @llvm.smin.i32(i32 %t56, i32 %t15)
  %t58 = trunc i64 %t49 to i32
  %t59 = mul i32 %t58, %t18
  %t60 = sub i32 %t9, %t59
  %t61 = call i32 @llvm.smin.i32(i32 %t60, i32 %t18)
  store i64 0, ptr %vector.62
  store i32 0, ptr %counter.63
  br label %count.64
count.64:
  %t67 = load i32, ptr %counter.63
  %t68 = icmp slt i32 %t67, %t61
  br i1 %t68, label %counted.65, label %counted.end.66
counted.65:
  store i32 0, ptr %counter.69
  br label %count.70
count.70:
  %t73 = load i32, ptr %counter.69
  %t74 = icmp slt i32 %t73, %t57
  br i1 %t74, label %counted.71, label %counted.end.72
counted.71:
  %t75 = and i32 %t53, 15
  %t76 = sub i32 %t53, %t75
  store i32 0, ptr %counter.77
  br label %count.78
count.78:
  %t81 = load i32, ptr %counter.77
  %t82 = icmp slt i32 %t81, %t76
  br i1 %t82, label %counted.79, label %counted.end.80
counted.79:
  %t83 = add i32 %t51, %t81
  store <16 x i1> splat (i1 true), ptr %live.85
  store <16 x i32> splat (i32 0), ptr %total.86
  store <16 x i1> splat (i1 true), ptr %live.89
  store i32 0, ptr %k.91
  br label %head.92
head.92:
  %t94 = load <16 x i1>, ptr %live.89
  %k.95 = load i32, ptr %k.91
  %t96 = icmp slt i32 %k.95, %t35
  br i1 %t96, label %onward.97, label %end.loop.88
onward.97:
  %t98 = bitcast <16 x i1> %t94 to i16
  %t99 = icmp ne i16 %t98, 0
  br i1 %t99, label %body.93, label %end.loop.88
body.93:
  store <16 x i1> %t94, ptr %iteration.90
  %t100 = sext i32 %k.95 to i64
  %t101 = getelementptr i32, ptr %t33, i64 %t100
  %t102 = load i32, ptr %t101, align 4
  %t103 = insertelement <16 x i32> poison, i32 %t102, i64 0
  %t104 = shufflevector <16 x i32> %t103, <16 x i32> poison, <16 x i32> zeroinitializer
  %t105 = insertelement <16 x i32> poison, i32 %t83, i64 0
  %t106 = shufflevector <16 x i32> %t105, <16 x i32> poison, <16 x i32> zeroinitializer
  %t107 = add <16 x i32> %t106, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t108 = icmp eq <16 x i32> %t104, %t107
  %t109 = and <16 x i1> %t94, %t108
  %t112 = bitcast <16 x i1> %t109 to i16
  %t113 = icmp ne i16 %t112, 0
  br i1 %t113, label %some.110, label %join.111
some.110:
  %t114 = load <16 x i1>, ptr %live.85
  %t115 = xor <16 x i1> %t109, splat (i1 true)
  %t116 = and <16 x i1> %t114, %t115
  store <16 x i1> %t116, ptr %live.85
  %t117 = load <16 x i1>, ptr %live.89
  %t118 = xor <16 x i1> %t109, splat (i1 true)
  %t119 = and <16 x i1> %t117, %t118
  store <16 x i1> %t119, ptr %live.89
  %t120 = load <16 x i1>, ptr %iteration.90
  %t121 = xor <16 x i1> %t109, splat (i1 true)
  %t122 = and <16 x i1> %t120, %t121
  store <16 x i1> %t122, ptr %iteration.90
  %t123 = load <16 x i1>, ptr %live.85
  %t125 = bitcast <16 x i1> %t123 to i16
  %t126 = icmp ne i16 %t125, 0
  br i1 %t126, label %stay.124, label %vector.end.84
stay.124:
  br label %join.111
join.111:
  %t127 = load <16 x i1>, ptr %iteration.90
  %t128 = and <16 x i1> %t94, %t127
  %t131 = bitcast <16 x i1> %t128 to i16
  %t132 = icmp ne i16 %t131, 0
  br i1 %t132, label %more.130, label %end.129
more.130:
  %total.133 = load <16 x i32>, ptr %total.86
  %t134 = insertelement <16 x i32> poison, i32 %t83, i64 0
  %t135 = shufflevector <16 x i32> %t134, <16 x i32> poison, <16 x i32> zeroinitializer
  %t136 = add <16 x i32> %t135, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t137 = icmp sgt <16 x i32> %total.133, %t136
  %t138 = and <16 x i1> %t128, %t137
  %t141 = bitcast <16 x i1> %t138 to i16
  %t142 = icmp ne i16 %t141, 0
  br i1 %t142, label %some.139, label %join.140
some.139:
  %t143 = load <16 x i1>, ptr %live.89
  %t144 = xor <16 x i1> %t138, splat (i1 true)
  %t145 = and <16 x i1> %t143, %t144
  store <16 x i1> %t145, ptr %live.89
  %t146 = load <16 x i1>, ptr %iteration.90
  %t147 = xor <16 x i1> %t138, splat (i1 true)
  %t148 = and <16 x i1> %t146, %t147
  store <16 x i1> %t148, ptr %iteration.90
  br label %join.140
join.140:
  %t149 = load <16 x i1>, ptr %iteration.90
  %t150 = and <16 x i1> %t94, %t149
  %t152 = bitcast <16 x i1> %t150 to i16
  %t153 = icmp ne i16 %t152, 0
  br i1 %t153, label %more.151, label %end.129
more.151:
  %total.154 = load <16 x i32>, ptr %total.86
  %t155 = sext i32 %k.95 to i64
  %t156 = getelementptr i32, ptr %t33, i64 %t155
  %t157 = load i32, ptr %t156, align 4
  %t158 = insertelement <16 x i32> poison, i32 %t157, i64 0
  %t159 = shufflevector <16 x i32> %t158, <16 x i32> poison, <16 x i32> zeroinitializer
  %t160 = add <16 x i32> %total.154, %t159
  %t161 = load <16 x i32>, ptr %total.86
  %t162 = select <16 x i1> %t150, <16 x i32> %t160, <16 x i32> %t161
  store <16 x i32> %t162, ptr %total.86
  br label %end.129
end.129:
  br label %next.87
next.87:
  %t163 = add i32 %k.95, 1
  store i32 %t163, ptr %k.91
  %t164 = load <16 x i1>, ptr %live.89
  %t165 = bitcast <16 x i1> %t164 to i16
  %t166 = icmp ne i16 %t165, 0
  br i1 %t166, label %head.92, label %end.loop.88
end.loop.88:
  %t167 = load <16 x i1>, ptr %live.85
  %t170 = bitcast <16 x i1> %t167 to i16
  %t171 = icmp ne i16 %t170, 0
  br i1 %t171, label %more.169, label %end.168
more.169:
  %total.172 = load <16 x i32>, ptr %total.86
  %t173 = sext i32 %t83 to i64
  %t174 = getelementptr i32, ptr %t33, i64 %t173
  call void @llvm.masked.store.v16i32.p0(<16 x i32> %total.172, ptr align 4 %t174, <16 x i1> %t167)
  br label %end.168
end.168:
  br label %vector.end.84
vector.end.84:
  %t175 = add i32 %t81, 16
  store i32 %t175, ptr %counter.77
  br label %count.78
counted.end.80:
  %t178 = icmp ne i32 %t75, 0
  br i1 %t178, label %tail.176, label %row.end.177
tail.176:
  %t179 = insertelement <16 x i32> poison, i32 %t76, i64 0
  %t180 = shufflevector <16 x i32> %t179, <16 x i32> poison, <16 x i32> zeroinitializer
  %t181 = add <16 x i32> %t180, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t182 = insertelement <16 x i32> poison, i32 %t53, i64 0
  %t183 = shufflevector <16 x i32> %t182, <16 x i32> poison, <16 x i32> zeroinitializer
  %t184 = icmp slt <16 x i32> %t181, %t183
  %t185 = add i32 %t51, %t76
  store <16 x i1> %t184, ptr %live.187
  store <16 x i32> splat (i32 0), ptr %total.86
  store <16 x i1> %t184, ptr %live.190
  store i32 0, ptr %k.192
  br label %head.193
head.193:
  %t195 = load <16 x i1>, ptr %live.190
  %k.196 = load i32, ptr %k.192
  %t197 = icmp slt i32 %k.196, %t35
  br i1 %t197, label %onward.198, label %end.loop.189
onward.198:
  %t199 = bitcast <16 x i1> %t195 to i16
  %t200 = icmp ne i16 %t199, 0
  br i1 %t200, label %body.194, label %end.loop.189
body.194:
  store <16 x i1> %t195, ptr %iteration.191
  %t201 = sext i32 %k.196 to i64
  %t202 = getelementptr i32, ptr %t33, i64 %t201
  %t203 = load i32, ptr %t202, align 4
  %t204 = insertelement <16 x i32> poison, i32 %t203, i64 0
  %t205 = shufflevector <16 x i32> %t204, <16 x i32> poison, <16 x i32> zeroinitializer
  %t206 = insertelement <16 x i32> poison, i32 %t185, i64 0
  %t207 = shufflevector <16 x i32> %t206, <16 x i32> poison, <16 x i32> zeroinitializer
  %t208 = add <16 x i32> %t207, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t209 = icmp eq <16 x i32> %t205, %t208
  %t210 = and <16 x i1> %t195, %t209
  %t213 = bitcast <16 x i1> %t210 to i16
  %t214 = icmp ne i16 %t213, 0
  br i1 %t214, label %some.211, label %join.212
some.211:
  %t215 = load <16 x i1>, ptr %live.187
  %t216 = xor <16 x i1> %t210, splat (i1 true)
  %t217 = and <16 x i1> %t215, %t216
  store <16 x i1> %t217, ptr %live.187
  %t218 = load <16 x i1>, ptr %live.190
  %t219 = xor <16 x i1> %t210, splat (i1 true)
  %t220 = and <16 x i1> %t218, %t219
  store <16 x i1> %t220, ptr %live.190
  %t221 = load <16 x i1>, ptr %iteration.191
  %t222 = xor <16 x i1> %t210, splat (i1 true)
  %t223 = and <16 x i1> %t221, %t222
  store <16 x i1> %t223, ptr %iteration.191
  %t224 = load <16 x i1>, ptr %live.187
  %t226 = bitcast <16 x i1> %t224 to i16
  %t227 = icmp ne i16 %t226, 0
  br i1 %t227, label %stay.225, label %vector.end.186
stay.225:
  br label %join.212
join.212:
  %t228 = load <16 x i1>, ptr %iteration.191
  %t229 = and <16 x i1> %t195, %t228
  %t232 = bitcast <16 x i1> %t229 to i16
  %t233 = icmp ne i16 %t232, 0
  br i1 %t233, label %more.231, label %end.230
more.231:
  %total.234 = load <16 x i32>, ptr %total.86
  %t235 = insertelement <16 x i32> poison, i32 %t185, i64 0
  %t236 = shufflevector <16 x i32> %t235, <16 x i32> poison, <16 x i32> zeroinitializer
  %t237 = add <16 x i32> %t236, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t238 = icmp sgt <16 x i32> %total.234, %t237
  %t239 = and <16 x i1> %t229, %t238
  %t242 = bitcast <16 x i1> %t239 to i16
  %t243 = icmp ne i16 %t242, 0
  br i1 %t243, label %some.240, label %join.241
some.240:
  %t244 = load <16 x i1>, ptr %live.190
  %t245 = xor <16 x i1> %t239, splat (i1 true)
  %t246 = and <16 x i1> %t244, %t245
  store <16 x i1> %t246, ptr %live.190
  %t247 = load <16 x i1>, ptr %iteration.191
  %t248 = xor <16 x i1> %t239, splat (i1 true)
  %t249 = and <16 x i1> %t247, %t248
  store <16 x i1> %t249, ptr %iteration.191
  br label %join.241
join.241:
  %t250 = load <16 x i1>, ptr %iteration.191
  %t251 = and <16 x i1> %t195, %t250
  %t253 = bitcast <16 x i1> %t251 to i16
  %t254 = icmp ne i16 %t253, 0
  br i1 %t254, label %more.252, label %end.230
more.252:
  %total.255 = load <16 x i32>, ptr %total.86
  %t256 = sext i32 %k.196 to i64
  %t257 = getelementptr i32, ptr %t33, i64 %t256
  %t258 = load i32, ptr %t257, align 4
  %t259 = insertelement <16 x i32> poison, i32 %t258, i64 0
  %t260 = shufflevector <16 x i32> %t259, <16 x i32> poison, <16 x i32> zeroinitializer
  %t261 = add <16 x i32> %total.255, %t260
  %t262 = load <16 x i32>, ptr %total.86
  %t263 = select <16 x i1> %t251, <16 x i32> %t261, <16 x i32> %t262
  store <16 x i32> %t263, ptr %total.86
  br label %end.230
end.230:
  br label %next.188
next.188:
  %t264 = add i32 %k.196, 1
  store i32 %t264, ptr %k.192
  %t265 = load <16 x i1>, ptr %live.190
  %t266 = bitcast <16 x i1> %t265 to i16
  %t267 = icmp ne i16 %t266, 0
  br i1 %t267, label %head.193, label %end.loop.189
end.loop.189:
  %t268 = load <16 x i1>, ptr %live.187
  %t269 = and <16 x i1> %t184, %t268
  %t272 = bitcast <16 x i1> %t269 to i16
  %t273 = icmp ne i16 %t272, 0
  br i1 %t273, label %more.271, label %end.270
more.271:
  %total.274 = load <16 x i32>, ptr %total.86
  %t275 = sext i32 %t185 to i64
  %t276 = getelementptr i32, ptr %t33, i64 %t275
  call void @llvm.masked.store.v16i32.p0(<16 x i32> %total.274, ptr align 4 %t276, <16 x i1> %t269)
  br label %end.270
end.270:
  br label %vector.end.186
vector.end.186:
  br label %row.end.177
row.end.177:
  %t277 = add i32 %t73, 1
  store i32 %t277, ptr %counter.69
  br label %count.70
counted.end.72:
  %t278 = add i32 %t67, 1
  store i32 %t278, ptr %counter.63
  br label %count.64
counted.end.66:
  br label %group.end.40
group.end.40:
  %t279 = add i64 %t41, 1
  store i64 %t279, ptr %group.36
  br label %groups.37
done.39:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare void @llvm.masked.store.v16i32.p0(<16 x i32>, ptr align 4, <16 x i1>)
