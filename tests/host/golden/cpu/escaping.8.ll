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
  %live.195 = alloca <8 x i1>, align 64
  %live.198 = alloca <8 x i1>, align 64
  %iteration.199 = alloca <8 x i1>, align 64
  %k.200 = alloca i32, align 64
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
  %total.180 = load <8 x i32>, ptr %total.86
  %t181 = sext i32 %t83 to i64
  %t182 = getelementptr i32, ptr %t33, i64 %t181
  call void @llvm.masked.store.v8i32.p0(<8 x i32> %total.180, ptr align 4 %t182, <8 x i1> %t167)
  br label %both.174
both.174:
  br label %end.168
end.168:
  br label %vector.end.84
vector.end.84:
  %t183 = add i32 %t81, 8
  store i32 %t183, ptr %counter.77
  br label %count.78
counted.end.80:
  %t186 = icmp ne i32 %t75, 0
  br i1 %t186, label %tail.184, label %row.end.185
tail.184:
  %t187 = insertelement <8 x i32> poison, i32 %t76, i64 0
  %t188 = shufflevector <8 x i32> %t187, <8 x i32> poison, <8 x i32> zeroinitializer
  %t189 = add <8 x i32> %t188, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t190 = insertelement <8 x i32> poison, i32 %t53, i64 0
  %t191 = shufflevector <8 x i32> %t190, <8 x i32> poison, <8 x i32> zeroinitializer
  %t192 = icmp slt <8 x i32> %t189, %t191
  %t193 = add i32 %t51, %t76
  store <8 x i1> %t192, ptr %live.195
  store <8 x i32> splat (i32 0), ptr %total.86
  store <8 x i1> %t192, ptr %live.198
  store i32 0, ptr %k.200
  br label %head.201
head.201:
  %t203 = load <8 x i1>, ptr %live.198
  %k.204 = load i32, ptr %k.200
  %t205 = icmp slt i32 %k.204, %t35
  br i1 %t205, label %onward.206, label %end.loop.197
onward.206:
  %t207 = bitcast <8 x i1> %t203 to i8
  %t208 = icmp ne i8 %t207, 0
  br i1 %t208, label %body.202, label %end.loop.197
body.202:
  store <8 x i1> %t203, ptr %iteration.199
  %t209 = sext i32 %k.204 to i64
  %t210 = getelementptr i32, ptr %t33, i64 %t209
  %t211 = load i32, ptr %t210, align 4
  %t212 = insertelement <8 x i32> poison, i32 %t211, i64 0
  %t213 = shufflevector <8 x i32> %t212, <8 x i32> poison, <8 x i32> zeroinitializer
  %t214 = insertelement <8 x i32> poison, i32 %t193, i64 0
  %t215 = shufflevector <8 x i32> %t214, <8 x i32> poison, <8 x i32> zeroinitializer
  %t216 = add <8 x i32> %t215, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t217 = icmp eq <8 x i32> %t213, %t216
  %t218 = and <8 x i1> %t203, %t217
  %t221 = bitcast <8 x i1> %t218 to i8
  %t222 = icmp ne i8 %t221, 0
  br i1 %t222, label %some.219, label %join.220
some.219:
  %t223 = load <8 x i1>, ptr %live.195
  %t224 = xor <8 x i1> %t218, splat (i1 true)
  %t225 = and <8 x i1> %t223, %t224
  store <8 x i1> %t225, ptr %live.195
  %t226 = load <8 x i1>, ptr %live.198
  %t227 = xor <8 x i1> %t218, splat (i1 true)
  %t228 = and <8 x i1> %t226, %t227
  store <8 x i1> %t228, ptr %live.198
  %t229 = load <8 x i1>, ptr %iteration.199
  %t230 = xor <8 x i1> %t218, splat (i1 true)
  %t231 = and <8 x i1> %t229, %t230
  store <8 x i1> %t231, ptr %iteration.199
  %t232 = load <8 x i1>, ptr %live.195
  %t234 = bitcast <8 x i1> %t232 to i8
  %t235 = icmp ne i8 %t234, 0
  br i1 %t235, label %stay.233, label %vector.end.194
stay.233:
  br label %join.220
join.220:
  %t236 = load <8 x i1>, ptr %iteration.199
  %t237 = and <8 x i1> %t203, %t236
  %t240 = bitcast <8 x i1> %t237 to i8
  %t241 = icmp ne i8 %t240, 0
  br i1 %t241, label %more.239, label %end.238
more.239:
  %total.242 = load <8 x i32>, ptr %total.86
  %t243 = insertelement <8 x i32> poison, i32 %t193, i64 0
  %t244 = shufflevector <8 x i32> %t243, <8 x i32> poison, <8 x i32> zeroinitializer
  %t245 = add <8 x i32> %t244, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t246 = icmp sgt <8 x i32> %total.242, %t245
  %t247 = and <8 x i1> %t237, %t246
  %t250 = bitcast <8 x i1> %t247 to i8
  %t251 = icmp ne i8 %t250, 0
  br i1 %t251, label %some.248, label %join.249
some.248:
  %t252 = load <8 x i1>, ptr %live.198
  %t253 = xor <8 x i1> %t247, splat (i1 true)
  %t254 = and <8 x i1> %t252, %t253
  store <8 x i1> %t254, ptr %live.198
  %t255 = load <8 x i1>, ptr %iteration.199
  %t256 = xor <8 x i1> %t247, splat (i1 true)
  %t257 = and <8 x i1> %t255, %t256
  store <8 x i1> %t257, ptr %iteration.199
  br label %join.249
join.249:
  %t258 = load <8 x i1>, ptr %iteration.199
  %t259 = and <8 x i1> %t203, %t258
  %t261 = bitcast <8 x i1> %t259 to i8
  %t262 = icmp ne i8 %t261, 0
  br i1 %t262, label %more.260, label %end.238
more.260:
  %total.263 = load <8 x i32>, ptr %total.86
  %t264 = sext i32 %k.204 to i64
  %t265 = getelementptr i32, ptr %t33, i64 %t264
  %t266 = load i32, ptr %t265, align 4
  %t267 = insertelement <8 x i32> poison, i32 %t266, i64 0
  %t268 = shufflevector <8 x i32> %t267, <8 x i32> poison, <8 x i32> zeroinitializer
  %t269 = add <8 x i32> %total.263, %t268
  %t270 = load <8 x i32>, ptr %total.86
  %t271 = select <8 x i1> %t259, <8 x i32> %t269, <8 x i32> %t270
  store <8 x i32> %t271, ptr %total.86
  br label %end.238
end.238:
  br label %next.196
next.196:
  %t272 = add i32 %k.204, 1
  store i32 %t272, ptr %k.200
  %t273 = load <8 x i1>, ptr %live.198
  %t274 = bitcast <8 x i1> %t273 to i8
  %t275 = icmp ne i8 %t274, 0
  br i1 %t275, label %head.201, label %end.loop.197
end.loop.197:
  %t276 = load <8 x i1>, ptr %live.195
  %t277 = and <8 x i1> %t192, %t276
  %t280 = bitcast <8 x i1> %t277 to i8
  %t281 = icmp ne i8 %t280, 0
  br i1 %t281, label %more.279, label %end.278
more.279:
  %total.282 = load <8 x i32>, ptr %total.86
  %t283 = sext i32 %t193 to i64
  %t284 = getelementptr i32, ptr %t33, i64 %t283
  call void @llvm.masked.store.v8i32.p0(<8 x i32> %total.282, ptr align 4 %t284, <8 x i1> %t277)
  br label %end.278
end.278:
  br label %vector.end.194
vector.end.194:
  br label %row.end.185
row.end.185:
  %t285 = add i32 %t73, 1
  store i32 %t285, ptr %counter.69
  br label %count.70
counted.end.72:
  %t286 = add i32 %t67, 1
  store i32 %t286, ptr %counter.63
  br label %count.64
counted.end.66:
  br label %group.end.40
group.end.40:
  %t287 = add i64 %t41, 1
  store i64 %t287, ptr %group.36
  br label %groups.37
done.39:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare void @llvm.masked.store.v8i32.p0(<8 x i32>, ptr align 4, <8 x i1>)
