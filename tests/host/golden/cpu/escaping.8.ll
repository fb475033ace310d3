; kernel escaping, 8 threads a vector

define void @sm_entry(ptr noalias %arguments, i64 %begin, i64 %end) nounwind {
entry:
  %group.36 = alloca i64, align 64
  %vector.62 = alloca i64, align 64
  %counter.63 = alloca i32, align 64
  %counter.69 = alloca i32, align 64
  %counter.77 = alloca i32, align 64
  %live.85 = alloca <8 x i1>, align 64
  %total.86 = alloca <8 x i32>, align 64
  %live.89 = alloca <8 x i1>, align 64
  %iteration.90 = alloca <8 x i1>, align 64
  %k.91 = alloca i32, align 64
  %live.197 = alloca <8 x i1>, align 64
  %live.200 = alloca <8 x i1>, align 64
  %iteration.201 = alloca <8 x i1>, align 64
  %k.202 = alloca i32, align 64
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
  %t75 = and i32 %t53, 7
  %t76 = sub i32 %t53, %t75
  store i32 0, ptr %counter.77
  br label %count.78
count.78:
  %t81 = load i32, ptr %counter.77
  %t82 = icmp slt i32 %t81, %t76
  br i1 %t82, label %counted.79, label %counted.end.80
counted.79:
  %t83 = add i32 %t51, %t81
  store <8 x i1> splat (i1 true), ptr %live.85
  store <8 x i32> splat (i32 0), ptr %total.86
  store <8 x i1> splat (i1 true), ptr %live.89
  store i32 0, ptr %k.91
  br label %head.92
head.92:
  %t94 = load <8 x i1>, ptr %live.89
  %k.95 = load i32, ptr %k.91
  %t96 = icmp slt i32 %k.95, %t35
  br i1 %t96, label %onward.97, label %end.loop.88
onward.97:
  %t98 = bitcast <8 x i1> %t94 to i8
  %t99 = icmp ne i8 %t98, 0
  br i1 %t99, label %body.93, label %end.loop.88
body.93:
  store <8 x i1> %t94, ptr %iteration.90
  %t100 = sext i32 %k.95 to i64
  %t101 = getelementptr i32, ptr %t33, i64 %t100
  %t102 = load i32, ptr %t101, align 4
  %t103 = insertelement <8 x i32> poison, i32 %t102, i64 0
  %t104 = shufflevector <8 x i32> %t103, <8 x i32> poison, <8 x i32> zeroinitializer
  %t105 = insertelement <8 x i32> poison, i32 %t83, i64 0
  %t106 = shufflevector <8 x i32> %t105, <8 x i32> poison, <8 x i32> zeroinitializer
  %t107 = add <8 x i32> %t106, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t108 = icmp eq <8 x i32> %t104, %t107
  %t109 = and <8 x i1> %t94, %t108
  %t112 = bitcast <8 x i1> %t109 to i8
  %t113 = icmp ne i8 %t112, 0
  br i1 %t113, label %some.110, label %join.111
some.110:
  %t114 = load <8 x i1>, ptr %live.85
  %t115 = xor <8 x i1> %t109, splat (i1 true)
  %t116 = and <8 x i1> %t114, %t115
  store <8 x i1> %t116, ptr %live.85
  %t117 = load <8 x i1>, ptr %live.89
  %t118 = xor <8 x i1> %t109, splat (i1 true)
  %t119 = and <8 x i1> %t117, %t118
  store <8 x i1> %t119, ptr %live.89
  %t120 = load <8 x i1>, ptr %iteration.90
  %t121 = xor <8 x i1> %t109, splat (i1 true)
  %t122 = and <8 x i1> %t120, %t121
  store <8 x i1> %t122, ptr %iteration.90
  %t123 = load <8 x i1>, ptr %live.85
  %t125 = bitcast <8 x i1> %t123 to i8
  %t126 = icmp ne i8 %t125, 0
  br i1 %t126, label %stay.124, label %vector.end.84
stay.124:
  br label %join.111
join.111:
  %t127 = load <8 x i1>, ptr %iteration.90
  %t128 = and <8 x i1> %t94, %t127
  %t131 = bitcast <8 x i1> %t128 to i8
  %t132 = icmp ne i8 %t131, 0
  br i1 %t132, label %more.130, label %end.129
more.130:
  %total.133 = load <8 x i32>, ptr %total.86
  %t134 = insertelement <8 x i32> poison, i32 %t83, i64 0
  %t135 = shufflevector <8 x i32> %t134, <8 x i32> poison, <8 x i32> zeroinitializer
  %t136 = add <8 x i32> %t135, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t137 = icmp sgt <8 x i32> %total.133, %t136
  %t138 = and <8 x i1> %t128, %t137
  %t141 = bitcast <8 x i1> %t138 to i8
  %t142 = icmp ne i8 %t141, 0
  br i1 %t142, label %some.139, label %join.140
some.139:
  %t143 = load <8 x i1>, ptr %live.89
  %t144 = xor <8 x i1> %t138, splat (i1 true)
  %t145 = and <8 x i1> %t143, %t144
  store <8 x i1> %t145, ptr %live.89
  %t146 = load <8 x i1>, ptr %iteration.90
  %t147 = xor <8 x i1> %t138, splat (i1 true)
  %t148 = and <8 x i1> %t146, %t147
  store <8 x i1> %t148, ptr %iteration.90
  br label %join.140
join.140:
  %t149 = load <8 x i1>, ptr %iteration.90
  %t150 = and <8 x i1> %t94, %t149
  %t152 = bitcast <8 x i1> %t150 to i8
  %t153 = icmp ne i8 %t152, 0
  br i1 %t153, label %more.151, label %end.129
more.151:
  %total.154 = load <8 x i32>, ptr %total.86
  %t155 = sext i32 %k.95 to i64
  %t156 = getelementptr i32, ptr %t33, i64 %t155
  %t157 = load i32, ptr %t156, align 4
  %t158 = insertelement <8 x i32> poison, i32 %t157, i64 0
  %t159 = shufflevector <8 x i32> %t158, <8 x i32> poison, <8 x i32> zeroinitializer
  %t160 = add <8 x i32> %total.154, %t159
  %t161 = load <8 x i32>, ptr %total.86
  %t162 = select <8 x i1> %t150, <8 x i32> %t160, <8 x i32> %t161
  store <8 x i32> %t162, ptr %total.86
  br label %end.129
end.129:
  br label %next.87
next.87:
  %t163 = add i32 %k.95, 1
  store i32 %t163, ptr %k.91
  %t164 = load <8 x i1>, ptr %live.89
  %t165 = bitcast <8 x i1> %t164 to i8
  %t166 = icmp ne i8 %t165, 0
  br i1 %t166, label %head.92, label %end.loop.88
end.loop.88:
  %t167 = load <8 x i1>, ptr %live.85
  %t170 = bitcast <8 x i1> %t167 to i8
  %t171 = icmp ne i8 %t170, 0
  br i1 %t171, label %more.169, label %end.168
more.169:
  %t175 = bitcast <8 x i1> %t167 to i8
  %t176 = icmp eq i8 %t175, -1
  br i1 %t176, label %full.172, label %part.173
full.172:
  %total.177 = load <8 x i32>, ptr %total.86
  %t178 = sext i32 %t83 to i64
  %t179 = getelementptr i32, ptr %t33, i64 %t178
  store <8 x i32> %total.177, ptr %t179, align 4
  br label %both.174
part.173:
  %total.182 = load <8 x i32>, ptr %total.86
  %t183 = sext i32 %t83 to i64
  %t184 = getelementptr i32, ptr %t33, i64 %t183
  call void @llvm.masked.store.v8i32.p0(<8 x i32> %total.182, ptr align 4 %t184, <8 x i1> %t167)
  br label %both.174
both.174:
  br label %end.168
end.168:
  br label %vector.end.84
vector.end.84:
  %t185 = add i32 %t81, 8
  store i32 %t185, ptr %counter.77
  br label %count.78
counted.end.80:
  %t188 = icmp ne i32 %t75, 0
  br i1 %t188, label %tail.186, label %row.end.187
tail.186:
  %t189 = insertelement <8 x i32> poison, i32 %t76, i64 0
  %t190 = shufflevector <8 x i32> %t189, <8 x i32> poison, <8 x i32> zeroinitializer
  %t191 = add <8 x i32> %t190, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t192 = insertelement <8 x i32> poison, i32 %t53, i64 0
  %t193 = shufflevector <8 x i32> %t192, <8 x i32> poison, <8 x i32> zeroinitializer
  %t194 = icmp slt <8 x i32> %t191, %t193
  %t195 = add i32 %t51, %t76
  store <8 x i1> %t194, ptr %live.197
  store <8 x i32> splat (i32 0), ptr %total.86
  store <8 x i1> %t194, ptr %live.200
  store i32 0, ptr %k.202
  br label %head.203
head.203:
  %t205 = load <8 x i1>, ptr %live.200
  %k.206 = load i32, ptr %k.202
  %t207 = icmp slt i32 %k.206, %t35
  br i1 %t207, label %onward.208, label %end.loop.199
onward.208:
  %t209 = bitcast <8 x i1> %t205 to i8
  %t210 = icmp ne i8 %t209, 0
  br i1 %t210, label %body.204, label %end.loop.199
body.204:
  store <8 x i1> %t205, ptr %iteration.201
  %t211 = sext i32 %k.206 to i64
  %t212 = getelementptr i32, ptr %t33, i64 %t211
  %t213 = load i32, ptr %t212, align 4
  %t214 = insertelement <8 x i32> poison, i32 %t213, i64 0
  %t215 = shufflevector <8 x i32> %t214, <8 x i32> poison, <8 x i32> zeroinitializer
  %t216 = insertelement <8 x i32> poison, i32 %t195, i64 0
  %t217 = shufflevector <8 x i32> %t216, <8 x i32> poison, <8 x i32> zeroinitializer
  %t218 = add <8 x i32> %t217, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t219 = icmp eq <8 x i32> %t215, %t218
  %t220 = and <8 x i1> %t205, %t219
  %t223 = bitcast <8 x i1> %t220 to i8
  %t224 = icmp ne i8 %t223, 0
  br i1 %t224, label %some.221, label %join.222
some.221:
  %t225 = load <8 x i1>, ptr %live.197
  %t226 = xor <8 x i1> %t220, splat (i1 true)
  %t227 = and <8 x i1> %t225, %t226
  store <8 x i1> %t227, ptr %live.197
  %t228 = load <8 x i1>, ptr %live.200
  %t229 = xor <8 x i1> %t220, splat (i1 true)
  %t230 = and <8 x i1> %t228, %t229
  store <8 x i1> %t230, ptr %live.200
  %t231 = load <8 x i1>, ptr %iteration.201
  %t232 = xor <8 x i1> %t220, splat (i1 true)
  %t233 = and <8 x i1> %t231, %t232
  store <8 x i1> %t233, ptr %iteration.201
  %t234 = load <8 x i1>, ptr %live.197
  %t236 = bitcast <8 x i1> %t234 to i8
  %t237 = icmp ne i8 %t236, 0
  br i1 %t237, label %stay.235, label %vector.end.196
stay.235:
  br label %join.222
join.222:
  %t238 = load <8 x i1>, ptr %iteration.201
  %t239 = and <8 x i1> %t205, %t238
  %t242 = bitcast <8 x i1> %t239 to i8
  %t243 = icmp ne i8 %t242, 0
  br i1 %t243, label %more.241, label %end.240
more.241:
  %total.244 = load <8 x i32>, ptr %total.86
  %t245 = insertelement <8 x i32> poison, i32 %t195, i64 0
  %t246 = shufflevector <8 x i32> %t245, <8 x i32> poison, <8 x i32> zeroinitializer
  %t247 = add <8 x i32> %t246, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t248 = icmp sgt <8 x i32> %total.244, %t247
  %t249 = and <8 x i1> %t239, %t248
  %t252 = bitcast <8 x i1> %t249 to i8
  %t253 = icmp ne i8 %t252, 0
  br i1 %t253, label %some.250, label %join.251
some.250:
  %t254 = load <8 x i1>, ptr %live.200
  %t255 = xor <8 x i1> %t249, splat (i1 true)
  %t256 = and <8 x i1> %t254, %t255
  store <8 x i1> %t256, ptr %live.200
  %t257 = load <8 x i1>, ptr %iteration.201
  %t258 = xor <8 x i1> %t249, splat (i1 true)
  %t259 = and <8 x i1> %t257, %t258
  store <8 x i1> %t259, ptr %iteration.201
  br label %join.251
join.251:
  %t260 = load <8 x i1>, ptr %iteration.201
  %t261 = and <8 x i1> %t205, %t260
  %t263 = bitcast <8 x i1> %t261 to i8
  %t264 = icmp ne i8 %t263, 0
  br i1 %t264, label %more.262, label %end.240
more.262:
  %total.265 = load <8 x i32>, ptr %total.86
  %t266 = sext i32 %k.206 to i64
  %t267 = getelementptr i32, ptr %t33, i64 %t266
  %t268 = load i32, ptr %t267, align 4
  %t269 = insertelement <8 x i32> poison, i32 %t268, i64 0
  %t270 = shufflevector <8 x i32> %t269, <8 x i32> poison, <8 x i32> zeroinitializer
  %t271 = add <8 x i32> %total.265, %t270
  %t272 = load <8 x i32>, ptr %total.86
  %t273 = select <8 x i1> %t261, <8 x i32> %t271, <8 x i32> %t272
  store <8 x i32> %t273, ptr %total.86
  br label %end.240
end.240:
  br label %next.198
next.198:
  %t274 = add i32 %k.206, 1
  store i32 %t274, ptr %k.202
  %t275 = load <8 x i1>, ptr %live.200
  %t276 = bitcast <8 x i1> %t275 to i8
  %t277 = icmp ne i8 %t276, 0
  br i1 %t277, label %head.203, label %end.loop.199
end.loop.199:
  %t278 = load <8 x i1>, ptr %live.197
  %t279 = and <8 x i1> %t194, %t278
  %t282 = bitcast <8 x i1> %t279 to i8
  %t283 = icmp ne i8 %t282, 0
  br i1 %t283, label %more.281, label %end.280
more.281:
  %total.284 = load <8 x i32>, ptr %total.86
  %t285 = sext i32 %t195 to i64
  %t286 = getelementptr i32, ptr %t33, i64 %t285
  call void @llvm.masked.store.v8i32.p0(<8 x i32> %total.284, ptr align 4 %t286, <8 x i1> %t279)
  br label %end.280
end.280:
  br label %vector.end.196
vector.end.196:
  br label %row.end.187
row.end.187:
  %t287 = add i32 %t73, 1
  store i32 %t287, ptr %counter.69
  br label %count.70
counted.end.72:
  %t288 = add i32 %t67, 1
  store i32 %t288, ptr %counter.63
  br label %count.64
counted.end.66:
  br label %group.end.40
group.end.40:
  %t289 = add i64 %t41, 1
  store i64 %t289, ptr %group.36
  br label %groups.37
done.39:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare void @llvm.masked.store.v8i32.p0(<8 x i32>, ptr align 4, <8 x i1>)
