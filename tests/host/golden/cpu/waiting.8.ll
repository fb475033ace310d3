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
  %vector.225 = alloca i64, align 64
  %counter.226 = alloca i32, align 64
  %counter.232 = alloca i32, align 64
  %counter.240 = alloca i32, align 64
  %vector.301 = alloca i64, align 64
  %counter.302 = alloca i32, align 64
  %counter.308 = alloca i32, align 64
  %counter.316 = alloca i32, align 64
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
  %t195 = add i64 %t181, 1
  store i64 %t195, ptr %vector.156
  %t196 = add i32 %t175, 8
  store i32 %t196, ptr %counter.171
  br label %count.172
counted.end.174:
  %t199 = icmp ne i32 %t169, 0
  br i1 %t199, label %tail.197, label %row.end.198
tail.197:
  %t200 = insertelement <8 x i32> poison, i32 %t170, i64 0
  %t201 = shufflevector <8 x i32> %t200, <8 x i32> poison, <8 x i32> zeroinitializer
  %t202 = add <8 x i32> %t201, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t203 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t204 = shufflevector <8 x i32> %t203, <8 x i32> poison, <8 x i32> zeroinitializer
  %t205 = icmp slt <8 x i32> %t202, %t204
  %t206 = mul i32 %t161, %t67
  %t207 = add i32 %t206, %t167
  %t208 = mul i32 %t207, %t63
  %t209 = add i32 %t208, %t170
  %t210 = load i64, ptr %vector.156
  %t212 = getelementptr i32, ptr %t.all.44, i64 %t210
  %t213 = load i32, ptr %t212
  store i32 %t213, ptr %t.101
  %t.214 = load i32, ptr %t.101
  %t.215 = load i32, ptr %t.101
  %t216 = add i32 %t.215, %t154
  %t217 = sext i32 %t216 to i64
  %t218 = getelementptr float, ptr %t33, i64 %t217
  %t219 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4 %t218, <8 x i1> %t205, <8 x float> zeroinitializer)
  %t220 = sext i32 %t.214 to i64
  %t221 = getelementptr float, ptr %tile.36, i64 %t220
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t219, ptr align 4 %t221, <8 x i1> %t205)
  br label %vector.end.211
vector.end.211:
  %t222 = add i64 %t210, 1
  store i64 %t222, ptr %vector.156
  br label %row.end.198
row.end.198:
  %t223 = add i32 %t167, 1
  store i32 %t223, ptr %counter.163
  br label %count.164
counted.end.166:
  %t224 = add i32 %t161, 1
  store i32 %t224, ptr %counter.157
  br label %count.158
counted.end.160:
  store i64 0, ptr %vector.225
  store i32 0, ptr %counter.226
  br label %count.227
count.227:
  %t230 = load i32, ptr %counter.226
  %t231 = icmp slt i32 %t230, %t71
  br i1 %t231, label %counted.228, label %counted.end.229
counted.228:
  store i32 0, ptr %counter.232
  br label %count.233
count.233:
  %t236 = load i32, ptr %counter.232
  %t237 = icmp slt i32 %t236, %t67
  br i1 %t237, label %counted.234, label %counted.end.235
counted.234:
  %t238 = and i32 %t63, 7
  %t239 = sub i32 %t63, %t238
  store i32 0, ptr %counter.240
  br label %count.241
count.241:
  %t244 = load i32, ptr %counter.240
  %t245 = icmp slt i32 %t244, %t239
  br i1 %t245, label %counted.242, label %counted.end.243
counted.242:
  %t246 = mul i32 %t230, %t67
  %t247 = add i32 %t246, %t236
  %t248 = mul i32 %t247, %t63
  %t249 = add i32 %t248, %t244
  %t250 = load i64, ptr %vector.225
  %t252 = getelementptr i32, ptr %t.all.44, i64 %t250
  %t253 = load i32, ptr %t252
  store i32 %t253, ptr %t.101
  %t254 = getelementptr <8 x float>, ptr %total.all.45, i64 %t250
  %t255 = load <8 x float>, ptr %t254
  store <8 x float> %t255, ptr %total.104
  %total.256 = load <8 x float>, ptr %total.104
  %t.257 = load i32, ptr %t.101
  %t258 = sub i32 63, %t.257
  %t259 = sext i32 %t258 to i64
  %t260 = getelementptr float, ptr %tile.36, i64 %t259
  %t261 = getelementptr float, ptr %t260, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t262 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t261, <8 x i1> splat (i1 true), <8 x float> zeroinitializer)
  %t263 = fadd <8 x float> %total.256, %t262
  store <8 x float> %t263, ptr %total.104
  br label %vector.end.251
vector.end.251:
  %t264 = load <8 x float>, ptr %total.104
  %t265 = getelementptr <8 x float>, ptr %total.all.45, i64 %t250
  store <8 x float> %t264, ptr %t265
  %t266 = add i64 %t250, 1
  store i64 %t266, ptr %vector.225
  %t267 = add i32 %t244, 8
  store i32 %t267, ptr %counter.240
  br label %count.241
counted.end.243:
  %t270 = icmp ne i32 %t238, 0
  br i1 %t270, label %tail.268, label %row.end.269
tail.268:
  %t271 = insertelement <8 x i32> poison, i32 %t239, i64 0
  %t272 = shufflevector <8 x i32> %t271, <8 x i32> poison, <8 x i32> zeroinitializer
  %t273 = add <8 x i32> %t272, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t274 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t275 = shufflevector <8 x i32> %t274, <8 x i32> poison, <8 x i32> zeroinitializer
  %t276 = icmp slt <8 x i32> %t273, %t275
  %t277 = mul i32 %t230, %t67
  %t278 = add i32 %t277, %t236
  %t279 = mul i32 %t278, %t63
  %t280 = add i32 %t279, %t239
  %t281 = load i64, ptr %vector.225
  %t283 = getelementptr i32, ptr %t.all.44, i64 %t281
  %t284 = load i32, ptr %t283
  store i32 %t284, ptr %t.101
  %t285 = getelementptr <8 x float>, ptr %total.all.45, i64 %t281
  %t286 = load <8 x float>, ptr %t285
  store <8 x float> %t286, ptr %total.104
  %total.287 = load <8 x float>, ptr %total.104
  %t.288 = load i32, ptr %t.101
  %t289 = sub i32 63, %t.288
  %t290 = sext i32 %t289 to i64
  %t291 = getelementptr float, ptr %tile.36, i64 %t290
  %t292 = getelementptr float, ptr %t291, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t293 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t292, <8 x i1> %t276, <8 x float> zeroinitializer)
  %t294 = fadd <8 x float> %total.287, %t293
  store <8 x float> %t294, ptr %total.104
  br label %vector.end.282
vector.end.282:
  %t295 = load <8 x float>, ptr %total.104
  %t296 = getelementptr <8 x float>, ptr %total.all.45, i64 %t281
  store <8 x float> %t295, ptr %t296
  %t297 = add i64 %t281, 1
  store i64 %t297, ptr %vector.225
  br label %row.end.269
row.end.269:
  %t298 = add i32 %t236, 1
  store i32 %t298, ptr %counter.232
  br label %count.233
counted.end.235:
  %t299 = add i32 %t230, 1
  store i32 %t299, ptr %counter.226
  br label %count.227
counted.end.229:
  br label %next.152
next.152:
  %t300 = add i32 %t154, 1
  store i32 %t300, ptr %k.149
  br label %head.150
end.loop.153:
  store i64 0, ptr %vector.301
  store i32 0, ptr %counter.302
  br label %count.303
count.303:
  %t306 = load i32, ptr %counter.302
  %t307 = icmp slt i32 %t306, %t71
  br i1 %t307, label %counted.304, label %counted.end.305
counted.304:
  store i32 0, ptr %counter.308
  br label %count.309
count.309:
  %t312 = load i32, ptr %counter.308
  %t313 = icmp slt i32 %t312, %t67
  br i1 %t313, label %counted.310, label %counted.end.311
counted.310:
  %t314 = and i32 %t63, 7
  %t315 = sub i32 %t63, %t314
  store i32 0, ptr %counter.316
  br label %count.317
count.317:
  %t320 = load i32, ptr %counter.316
  %t321 = icmp slt i32 %t320, %t315
  br i1 %t321, label %counted.318, label %counted.end.319
counted.318:
  %t322 = mul i32 %t306, %t67
  %t323 = add i32 %t322, %t312
  %t324 = mul i32 %t323, %t63
  %t325 = add i32 %t324, %t320
  %t326 = load i64, ptr %vector.301
  %t328 = getelementptr i32, ptr %t.all.44, i64 %t326
  %t329 = load i32, ptr %t328
  store i32 %t329, ptr %t.101
  %t330 = getelementptr <8 x float>, ptr %total.all.45, i64 %t326
  %t331 = load <8 x float>, ptr %t330
  store <8 x float> %t331, ptr %total.104
  %t.332 = load i32, ptr %t.101
  %total.333 = load <8 x float>, ptr %total.104
  %t334 = sext i32 %t.332 to i64
  %t335 = getelementptr float, ptr %t33, i64 %t334
  store <8 x float> %total.333, ptr %t335, align 4
  br label %vector.end.327
vector.end.327:
  %t338 = add i64 %t326, 1
  store i64 %t338, ptr %vector.301
  %t339 = add i32 %t320, 8
  store i32 %t339, ptr %counter.316
  br label %count.317
counted.end.319:
  %t342 = icmp ne i32 %t314, 0
  br i1 %t342, label %tail.340, label %row.end.341
tail.340:
  %t343 = insertelement <8 x i32> poison, i32 %t315, i64 0
  %t344 = shufflevector <8 x i32> %t343, <8 x i32> poison, <8 x i32> zeroinitializer
  %t345 = add <8 x i32> %t344, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t346 = insertelement <8 x i32> poison, i32 %t63, i64 0
  %t347 = shufflevector <8 x i32> %t346, <8 x i32> poison, <8 x i32> zeroinitializer
  %t348 = icmp slt <8 x i32> %t345, %t347
  %t349 = mul i32 %t306, %t67
  %t350 = add i32 %t349, %t312
  %t351 = mul i32 %t350, %t63
  %t352 = add i32 %t351, %t315
  %t353 = load i64, ptr %vector.301
  %t355 = getelementptr i32, ptr %t.all.44, i64 %t353
  %t356 = load i32, ptr %t355
  store i32 %t356, ptr %t.101
  %t357 = getelementptr <8 x float>, ptr %total.all.45, i64 %t353
  %t358 = load <8 x float>, ptr %t357
  store <8 x float> %t358, ptr %total.104
  %t.359 = load i32, ptr %t.101
  %total.360 = load <8 x float>, ptr %total.104
  %t361 = sext i32 %t.359 to i64
  %t362 = getelementptr float, ptr %t33, i64 %t361
  call void @llvm.masked.store.v8f32.p0(<8 x float> %total.360, ptr align 4 %t362, <8 x i1> %t348)
  br label %vector.end.354
vector.end.354:
  %t363 = add i64 %t353, 1
  store i64 %t363, ptr %vector.301
  br label %row.end.341
row.end.341:
  %t364 = add i32 %t312, 1
  store i32 %t364, ptr %counter.308
  br label %count.309
counted.end.311:
  %t365 = add i32 %t306, 1
  store i32 %t365, ptr %counter.302
  br label %count.303
counted.end.305:
  br label %group.end.50
group.end.50:
  %t366 = add i64 %t51, 1
  store i64 %t366, ptr %group.46
  br label %groups.47
done.49:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4, <8 x i1>, <8 x float>)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr align 4, <8 x i1>)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4, <8 x i1>, <8 x float>)
