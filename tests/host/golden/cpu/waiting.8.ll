; kernel waiting, 8 threads a vector

define void @sm_entry(ptr noalias %arguments, i64 %begin, i64 %end) nounwind {
entry:
  %group.46 = alloca i64, align 64
  %vector.72 = alloca i64, align 64
  %counter.73 = alloca i32, align 64
  %counter.79 = alloca i32, align 64
  %counter.87 = alloca i32, align 64
  %t.101 = alloca i32, align 64
  %total.104 = alloca <8 x float>, align 64
  %k.149 = alloca i32, align 64
  %vector.156 = alloca i64, align 64
  %counter.157 = alloca i32, align 64
  %counter.163 = alloca i32, align 64
  %counter.171 = alloca i32, align 64
  %vector.223 = alloca i64, align 64
  %counter.224 = alloca i32, align 64
  %counter.230 = alloca i32, align 64
  %counter.238 = alloca i32, align 64
  %vector.299 = alloca i64, align 64
  %counter.300 = alloca i32, align 64
  %counter.306 = alloca i32, align 64
  %counter.314 = alloca i32, align 64
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
  %tile.36 = alloca float, i64 64, align 64
  %t37 = sext i32 %t12 to i64
  %t38 = sext i32 %t15 to i64
  %t39 = sext i32 %t18 to i64
  %t40 = add i64 %t37, 7
  %t41 = sdiv i64 %t40, 8
  %t42 = mul i64 %t41, %t38
  %t43 = mul i64 %t42, %t39
  %t.all.44 = alloca i32, i64 %t43, align 64
  %total.all.45 = alloca <8 x float>, i64 %t43, align 64
  store i64 %begin, ptr %group.46
  br label %groups.47
groups.47:
  %t51 = load i64, ptr %group.46
  %t52 = icmp slt i64 %t51, %end
  br i1 %t52, label %group.48, label %done.49
group.48:
  %t53 = sext i32 %t21 to i64
  %t54 = sext i32 %t24 to i64
  %t55 = sext i32 %t27 to i64
  %t56 = sdiv i64 %t51, %t53
  %t57 = srem i64 %t51, %t53
  %t58 = srem i64 %t56, %t54
  %t59 = sdiv i64 %t56, %t54
  %t60 = trunc i64 %t57 to i32
  %t61 = mul i32 %t60, %t12
  %t62 = sub i32 %t3, %t61
  %t63 = call i32 @llvm.smin.i32(i32 %t62, i32 %t12)
  %t64 = trunc i64 %t58 to i32
  %t65 = mul i32 %t64, %t15
  %t66 = sub i32 %t6, %t65
  %t67 = call i32 @llvm.smin.i32(i32 %t66, i32 %t15)
  %t68 = trunc i64 %t59 to i32
  %t69 = mul i32 %t68, %t18
  %t70 = sub i32 %t9, %t69
  %t71 = call i32 @llvm.smin.i32(i32 %t70, i32 %t18)
  store i64 0, ptr %vector.72
  store i32 0, ptr %counter.73
  br label %count.74
count.74:
  %t77 = load i32, ptr %counter.73
  %t78 = icmp slt i32 %t77, %t71
  br i1 %t78, label %counted.75, label %counted.end.76
counted.75:
  store i32 0, ptr %counter.79
  br label %count.80
count.80:
  %t83 = load i32, ptr %counter.79
  %t84 = icmp slt i32 %t83, %t67
  br i1 %t84, label %counted.81, label %counted.end.82
counted.81:
  %t85 = and i32 %t63, 7
  %t86 = sub i32 %t63, %t85
  store i32 0, ptr %counter.87
  br label %count.88
count.88:
  %t91 = load i32, ptr %counter.87
  %t92 = icmp slt i32 %t91, %t86
  br i1 %t92, label %counted.89, label %counted.end.90
counted.89:
  %t93 = mul i32 %t77, %t67
  %t94 = add i32 %t93, %t83
  %t95 = mul i32 %t94, %t63
  %t96 = add i32 %t95, %t91
  %t97 = load i64, ptr %vector.72
  %t99 = getelementptr i32, ptr %t.all.44, i64 %t97
  %t100 = load i32, ptr %t99
  store i32 %t100, ptr %t.101
  %t102 = getelementptr <8 x float>, ptr %total.all.45, i64 %t97
  %t103 = load <8 x float>, ptr %t102
  store <8 x float> %t103, ptr %total.104
  store i32 %t96, ptr %t.101
  store <8 x float> splat (float 0x0000000000000000), ptr %total.104
  br label %vector.end.98
vector.end.98:
  %t105 = load i32, ptr %t.101
  %t106 = getelementptr i32, ptr %t.all.44, i64 %t97
  store i32 %t105, ptr %t106
  %t107 = load <8 x float>, ptr %total.104
  %t108 = getelementptr <8 x float>, ptr %total.all.45, i64 %t97
  store <8 x float> %t107, ptr %t108
  %t109 = add i64 %t97, 1
  store i64 %t109, ptr %vector.72
  %t110 = add i32 %t91, 8
  store i32 %t110, ptr %counter.87
  br label %count.88
counted.end.90:
  %t113 = icmp ne i32 %t85, 0
  br i1 %t113, label %tail.111, label %row.end.112
tail.111:
  %t114 = insertelement <8 x i32> poison, i32 %t86, i64 0
  %t115 = shufflevector <8 x i32> %t114, <8 x i32> poison, <8 x i32> zeroinitializer
  %t116 = add <8 x i32> %t115, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t117 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t118 = shufflevector <8 x i32> %t117, <8 x i32> poison, <8 x i32> zeroinitializer
  %t119 = icmp slt <8 x i32> %t116, %t118
  %t120 = mul i32 %t77, %t67
  %t121 = add i32 %t120, %t83
  %t122 = mul i32 %t121, %t63
  %t123 = add i32 %t122, %t86
  %t124 = load i64, ptr %vector.72
  %t126 = getelementptr i32, ptr %t.all.44, i64 %t124
  %t127 = load i32, ptr %t126
  store i32 %t127, ptr %t.101
  %t128 = getelementptr <8 x float>, ptr %total.all.45, i64 %t124
  %t129 = load <8 x float>, ptr %t128
  store <8 x float> %t129, ptr %total.104
  store i32 %t123, ptr %t.101
  store <8 x float> splat (float 0x0000000000000000), ptr %total.104
  br label %vector.end.125
vector.end.125:
  %t130 = load i32, ptr %t.101
  %t131 = getelementptr i32, ptr %t.all.44, i64 %t124
  store i32 %t130, ptr %t131
  %t132 = load <8 x float>, ptr %total.104
  %t133 = getelementptr <8 x float>, ptr %total.all.45, i64 %t124
  store <8 x float> %t132, ptr %t133
  %t134 = add i64 %t124, 1
  store i64 %t134, ptr %vector.72
  br label %row.end.112
row.end.112:
  %t135 = add i32 %t83, 1
  store i32 %t135, ptr %counter.79
  br label %count.80
counted.end.82:
  %t136 = add i32 %t77, 1
  store i32 %t136, ptr %counter.73
  br label %count.74
counted.end.76:
  %t137 = mul i32 0, %t67
  %t138 = add i32 %t137, 0
  %t139 = mul i32 %t138, %t63
  %t140 = add i32 %t139, 0
  %t141 = mul i32 0, %t67
  %t142 = add i32 %t141, 0
  %t143 = mul i32 %t142, %t63
  %t144 = add i32 %t143, 0
  %t145 = mul i32 0, %t67
  %t146 = add i32 %t145, 0
  %t147 = mul i32 %t146, %t63
  %t148 = add i32 %t147, 0
  store i32 0, ptr %k.149
  br label %head.150
head.150:
  %t154 = load i32, ptr %k.149
  %t155 = icmp slt i32 %t154, %t35
  br i1 %t155, label %body.151, label %end.loop.153
body.151:
  store i64 0, ptr %vector.156
  store i32 0, ptr %counter.157
  br label %count.158
count.158:
  %t161 = load i32, ptr %counter.157
  %t162 = icmp slt i32 %t161, %t71
  br i1 %t162, label %counted.159, label %counted.end.160
counted.159:
  store i32 0, ptr %counter.163
  br label %count.164
count.164:
  %t167 = load i32, ptr %counter.163
  %t168 = icmp slt i32 %t167, %t67
  br i1 %t168, label %counted.165, label %counted.end.166
counted.165:
  %t169 = and i32 %t63, 7
  %t170 = sub i32 %t63, %t169
  store i32 0, ptr %counter.171
  br label %count.172
count.172:
  %t175 = load i32, ptr %counter.171
  %t176 = icmp slt i32 %t175, %t170
  br i1 %t176, label %counted.173, label %counted.end.174
counted.173:
  %t177 = mul i32 %t161, %t67
  %t178 = add i32 %t177, %t167
  %t179 = mul i32 %t178, %t63
  %t180 = add i32 %t179, %t175
  %t181 = load i64, ptr %vector.156
  %t183 = getelementptr i32, ptr %t.all.44, i64 %t181
  %t184 = load i32, ptr %t183
  store i32 %t184, ptr %t.101
  %t.185 = load i32, ptr %t.101
  %t.186 = load i32, ptr %t.101
  %t187 = add i32 %t.186, %t154
  %t188 = sext i32 %t187 to i64
  %t189 = getelementptr float, ptr %t33, i64 %t188
  %t190 = load <8 x float>, ptr %t189, align 4
  %t191 = sext i32 %t.185 to i64
  %t192 = getelementptr float, ptr %tile.36, i64 %t191
  store <8 x float> %t190, ptr %t192, align 4
  br label %vector.end.182
vector.end.182:
  %t193 = add i64 %t181, 1
  store i64 %t193, ptr %vector.156
  %t194 = add i32 %t175, 8
  store i32 %t194, ptr %counter.171
  br label %count.172
counted.end.174:
  %t197 = icmp ne i32 %t169, 0
  br i1 %t197, label %tail.195, label %row.end.196
tail.195:
  %t198 = insertelement <8 x i32> poison, i32 %t170, i64 0
  %t199 = shufflevector <8 x i32> %t198, <8 x i32> poison, <8 x i32> zeroinitializer
  %t200 = add <8 x i32> %t199, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t201 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t202 = shufflevector <8 x i32> %t201, <8 x i32> poison, <8 x i32> zeroinitializer
  %t203 = icmp slt <8 x i32> %t200, %t202
  %t204 = mul i32 %t161, %t67
  %t205 = add i32 %t204, %t167
  %t206 = mul i32 %t205, %t63
  %t207 = add i32 %t206, %t170
  %t208 = load i64, ptr %vector.156
  %t210 = getelementptr i32, ptr %t.all.44, i64 %t208
  %t211 = load i32, ptr %t210
  store i32 %t211, ptr %t.101
  %t.212 = load i32, ptr %t.101
  %t.213 = load i32, ptr %t.101
  %t214 = add i32 %t.213, %t154
  %t215 = sext i32 %t214 to i64
  %t216 = getelementptr float, ptr %t33, i64 %t215
  %t217 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4 %t216, <8 x i1> %t203, <8 x float> zeroinitializer)
  %t218 = sext i32 %t.212 to i64
  %t219 = getelementptr float, ptr %tile.36, i64 %t218
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t217, ptr align 4 %t219, <8 x i1> %t203)
  br label %vector.end.209
vector.end.209:
  %t220 = add i64 %t208, 1
  store i64 %t220, ptr %vector.156
  br label %row.end.196
row.end.196:
  %t221 = add i32 %t167, 1
  store i32 %t221, ptr %counter.163
  br label %count.164
counted.end.166:
  %t222 = add i32 %t161, 1
  store i32 %t222, ptr %counter.157
  br label %count.158
counted.end.160:
  store i64 0, ptr %vector.223
  store i32 0, ptr %counter.224
  br label %count.225
count.225:
  %t228 = load i32, ptr %counter.224
  %t229 = icmp slt i32 %t228, %t71
  br i1 %t229, label %counted.226, label %counted.end.227
counted.226:
  store i32 0, ptr %counter.230
  br label %count.231
count.231:
  %t234 = load i32, ptr %counter.230
  %t235 = icmp slt i32 %t234, %t67
  br i1 %t235, label %counted.232, label %counted.end.233
counted.232:
  %t236 = and i32 %t63, 7
  %t237 = sub i32 %t63, %t236
  store i32 0, ptr %counter.238
  br label %count.239
count.239:
  %t242 = load i32, ptr %counter.238
  %t243 = icmp slt i32 %t242, %t237
  br i1 %t243, label %counted.240, label %counted.end.241
counted.240:
  %t244 = mul i32 %t228, %t67
  %t245 = add i32 %t244, %t234
  %t246 = mul i32 %t245, %t63
  %t247 = add i32 %t246, %t242
  %t248 = load i64, ptr %vector.223
  %t250 = getelementptr i32, ptr %t.all.44, i64 %t248
  %t251 = load i32, ptr %t250
  store i32 %t251, ptr %t.101
  %t252 = getelementptr <8 x float>, ptr %total.all.45, i64 %t248
  %t253 = load <8 x float>, ptr %t252
  store <8 x float> %t253, ptr %total.104
  %total.254 = load <8 x float>, ptr %total.104
  %t.255 = load i32, ptr %t.101
  %t256 = sub i32 63, %t.255
  %t257 = sext i32 %t256 to i64
  %t258 = getelementptr float, ptr %tile.36, i64 %t257
  %t259 = getelementptr float, ptr %t258, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t260 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t259, <8 x i1> splat (i1 true), <8 x float> zeroinitializer)
  %t261 = fadd <8 x float> %total.254, %t260
  store <8 x float> %t261, ptr %total.104
  br label %vector.end.249
vector.end.249:
  %t262 = load <8 x float>, ptr %total.104
  %t263 = getelementptr <8 x float>, ptr %total.all.45, i64 %t248
  store <8 x float> %t262, ptr %t263
  %t264 = add i64 %t248, 1
  store i64 %t264, ptr %vector.223
  %t265 = add i32 %t242, 8
  store i32 %t265, ptr %counter.238
  br label %count.239
counted.end.241:
  %t268 = icmp ne i32 %t236, 0
  br i1 %t268, label %tail.266, label %row.end.267
tail.266:
  %t269 = insertelement <8 x i32> poison, i32 %t237, i64 0
  %t270 = shufflevector <8 x i32> %t269, <8 x i32> poison, <8 x i32> zeroinitializer
  %t271 = add <8 x i32> %t270, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t272 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t273 = shufflevector <8 x i32> %t272, <8 x i32> poison, <8 x i32> zeroinitializer
  %t274 = icmp slt <8 x i32> %t271, %t273
  %t275 = mul i32 %t228, %t67
  %t276 = add i32 %t275, %t234
  %t277 = mul i32 %t276, %t63
  %t278 = add i32 %t277, %t237
  %t279 = load i64, ptr %vector.223
  %t281 = getelementptr i32, ptr %t.all.44, i64 %t279
  %t282 = load i32, ptr %t281
  store i32 %t282, ptr %t.101
  %t283 = getelementptr <8 x float>, ptr %total.all.45, i64 %t279
  %t284 = load <8 x float>, ptr %t283
  store <8 x float> %t284, ptr %total.104
  %total.285 = load <8 x float>, ptr %total.104
  %t.286 = load i32, ptr %t.101
  %t287 = sub i32 63, %t.286
  %t288 = sext i32 %t287 to i64
  %t289 = getelementptr float, ptr %tile.36, i64 %t288
  %t290 = getelementptr float, ptr %t289, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t291 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t290, <8 x i1> %t274, <8 x float> zeroinitializer)
  %t292 = fadd <8 x float> %total.285, %t291
  store <8 x float> %t292, ptr %total.104
  br label %vector.end.280
vector.end.280:
  %t293 = load <8 x float>, ptr %total.104
  %t294 = getelementptr <8 x float>, ptr %total.all.45, i64 %t279
  store <8 x float> %t293, ptr %t294
  %t295 = add i64 %t279, 1
  store i64 %t295, ptr %vector.223
  br label %row.end.267
row.end.267:
  %t296 = add i32 %t234, 1
  store i32 %t296, ptr %counter.230
  br label %count.231
counted.end.233:
  %t297 = add i32 %t228, 1
  store i32 %t297, ptr %counter.224
  br label %count.225
counted.end.227:
  br label %next.152
next.152:
  %t298 = add i32 %t154, 1
  store i32 %t298, ptr %k.149
  br label %head.150
end.loop.153:
  store i64 0, ptr %vector.299
  store i32 0, ptr %counter.300
  br label %count.301
count.301:
  %t304 = load i32, ptr %counter.300
  %t305 = icmp slt i32 %t304, %t71
  br i1 %t305, label %counted.302, label %counted.end.303
counted.302:
  store i32 0, ptr %counter.306
  br label %count.307
count.307:
  %t310 = load i32, ptr %counter.306
  %t311 = icmp slt i32 %t310, %t67
  br i1 %t311, label %counted.308, label %counted.end.309
counted.308:
  %t312 = and i32 %t63, 7
  %t313 = sub i32 %t63, %t312
  store i32 0, ptr %counter.314
  br label %count.315
count.315:
  %t318 = load i32, ptr %counter.314
  %t319 = icmp slt i32 %t318, %t313
  br i1 %t319, label %counted.316, label %counted.end.317
counted.316:
  %t320 = mul i32 %t304, %t67
  %t321 = add i32 %t320, %t310
  %t322 = mul i32 %t321, %t63
  %t323 = add i32 %t322, %t318
  %t324 = load i64, ptr %vector.299
  %t326 = getelementptr i32, ptr %t.all.44, i64 %t324
  %t327 = load i32, ptr %t326
  store i32 %t327, ptr %t.101
  %t328 = getelementptr <8 x float>, ptr %total.all.45, i64 %t324
  %t329 = load <8 x float>, ptr %t328
  store <8 x float> %t329, ptr %total.104
  %t.330 = load i32, ptr %t.101
  %total.331 = load <8 x float>, ptr %total.104
  %t332 = sext i32 %t.330 to i64
  %t333 = getelementptr float, ptr %t33, i64 %t332
  store <8 x float> %total.331, ptr %t333, align 4
  br label %vector.end.325
vector.end.325:
  %t334 = add i64 %t324, 1
  store i64 %t334, ptr %vector.299
  %t335 = add i32 %t318, 8
  store i32 %t335, ptr %counter.314
  br label %count.315
counted.end.317:
  %t338 = icmp ne i32 %t312, 0
  br i1 %t338, label %tail.336, label %row.end.337
tail.336:
  %t339 = insertelement <8 x i32> poison, i32 %t313, i64 0
  %t340 = shufflevector <8 x i32> %t339, <8 x i32> poison, <8 x i32> zeroinitializer
  %t341 = add <8 x i32> %t340, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t342 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t343 = shufflevector <8 x i32> %t342, <8 x i32> poison, <8 x i32> zeroinitializer
  %t344 = icmp slt <8 x i32> %t341, %t343
  %t345 = mul i32 %t304, %t67
  %t346 = add i32 %t345, %t310
  %t347 = mul i32 %t346, %t63
  %t348 = add i32 %t347, %t313
  %t349 = load i64, ptr %vector.299
  %t351 = getelementptr i32, ptr %t.all.44, i64 %t349
  %t352 = load i32, ptr %t351
  store i32 %t352, ptr %t.101
  %t353 = getelementptr <8 x float>, ptr %total.all.45, i64 %t349
  %t354 = load <8 x float>, ptr %t353
  store <8 x float> %t354, ptr %total.104
  %t.355 = load i32, ptr %t.101
  %total.356 = load <8 x float>, ptr %total.104
  %t357 = sext i32 %t.355 to i64
  %t358 = getelementptr float, ptr %t33, i64 %t357
  call void @llvm.masked.store.v8f32.p0(<8 x float> %total.356, ptr align 4 %t358, <8 x i1> %t344)
  br label %vector.end.350
vector.end.350:
  %t359 = add i64 %t349, 1
  store i64 %t359, ptr %vector.299
  br label %row.end.337
row.end.337:
  %t360 = add i32 %t310, 1
  store i32 %t360, ptr %counter.306
  br label %count.307
counted.end.309:
  %t361 = add i32 %t304, 1
  store i32 %t361, ptr %counter.300
  br label %count.301
counted.end.303:
  br label %group.end.50
group.end.50:
  %t362 = add i64 %t51, 1
  store i64 %t362, ptr %group.46
  br label %groups.47
done.49:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4, <8 x i1>, <8 x float>)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr align 4, <8 x i1>)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4, <8 x i1>, <8 x float>)
