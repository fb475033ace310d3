; kernel waiting, 8 threads a vector

define void @sm_entry(ptr noalias %arguments, i64 %begin, i64 %end) nounwind {
entry:
  %group.60 = alloca i64, align 64
  %vector.86 = alloca i64, align 64
  %counter.87 = alloca i32, align 64
  %counter.93 = alloca i32, align 64
  %counter.101 = alloca i32, align 64
  %t.115 = alloca i32, align 64
  %total.118 = alloca <8 x float>, align 64
  %k.163 = alloca i32, align 64
  %vector.170 = alloca i64, align 64
  %counter.171 = alloca i32, align 64
  %counter.177 = alloca i32, align 64
  %counter.185 = alloca i32, align 64
  %vector.239 = alloca i64, align 64
  %counter.240 = alloca i32, align 64
  %counter.246 = alloca i32, align 64
  %counter.254 = alloca i32, align 64
  %vector.315 = alloca i64, align 64
  %counter.316 = alloca i32, align 64
  %counter.322 = alloca i32, align 64
  %counter.330 = alloca i32, align 64
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
  %t44 = mul i64 %t43, 128
  %t48 = icmp ule i64 %t44, 65536
  br i1 %t48, label %stack.45, label %heap.46
stack.45:
  %places.49 = alloca [128 x i8], i64 %t43, align 64
  br label %made.47
heap.46:
  %t50 = add i64 %t44, 63
  %t51 = call ptr @malloc(i64 %t50)
  %t52 = getelementptr i8, ptr %t51, i64 63
  %t53 = call ptr @llvm.ptrmask.p0.i64(ptr %t52, i64 -64)
  br label %made.47
made.47:
  %t54 = phi ptr [ null, %stack.45 ], [ %t51, %heap.46 ]
  %places.55 = phi ptr [ %places.49, %stack.45 ], [ %t53, %heap.46 ]
  %t56 = mul i64 %t43, 0
  %t.all.57 = getelementptr i8, ptr %places.55, i64 %t56
  %t58 = mul i64 %t43, 64
  %total.all.59 = getelementptr i8, ptr %places.55, i64 %t58
  store i64 %begin, ptr %group.60
  br label %groups.61
groups.61:
  %t65 = load i64, ptr %group.60
  %t66 = icmp slt i64 %t65, %end
  br i1 %t66, label %group.62, label %done.63
group.62:
  %t67 = sext i32 %t21 to i64
  %t68 = sext i32 %t24 to i64
  %t69 = sext i32 %t27 to i64
  %t70 = sdiv i64 %t65, %t67
  %t71 = srem i64 %t65, %t67
  %t72 = srem i64 %t70, %t68
  %t73 = sdiv i64 %t70, %t68
  %t74 = trunc i64 %t71 to i32
  %t75 = mul i32 %t74, %t12
  %t76 = sub i32 %t3, %t75
  %t77 = call i32 @llvm.smin.i32(i32 %t76, i32 %t12)
  %t78 = trunc i64 %t72 to i32
  %t79 = mul i32 %t78, %t15
  %t80 = sub i32 %t6, %t79
  %t81 = call i32 @llvm.smin.i32(i32 %t80, i32 %t15)
  %t82 = trunc i64 %t73 to i32
  %t83 = mul i32 %t82, %t18
  %t84 = sub i32 %t9, %t83
  %t85 = call i32 @llvm.smin.i32(i32 %t84, i32 %t18)
  store i64 0, ptr %vector.86
  store i32 0, ptr %counter.87
  br label %count.88
count.88:
  %t91 = load i32, ptr %counter.87
  %t92 = icmp slt i32 %t91, %t85
  br i1 %t92, label %counted.89, label %counted.end.90
counted.89:
  store i32 0, ptr %counter.93
  br label %count.94
count.94:
  %t97 = load i32, ptr %counter.93
  %t98 = icmp slt i32 %t97, %t81
  br i1 %t98, label %counted.95, label %counted.end.96
counted.95:
  %t99 = and i32 %t77, 7
  %t100 = sub i32 %t77, %t99
  store i32 0, ptr %counter.101
  br label %count.102
count.102:
  %t105 = load i32, ptr %counter.101
  %t106 = icmp slt i32 %t105, %t100
  br i1 %t106, label %counted.103, label %counted.end.104
counted.103:
  %t107 = mul i32 %t91, %t81
  %t108 = add i32 %t107, %t97
  %t109 = mul i32 %t108, %t77
  %t110 = add i32 %t109, %t105
  %t111 = load i64, ptr %vector.86
  %t113 = getelementptr i32, ptr %t.all.57, i64 %t111
  %t114 = load i32, ptr %t113
  store i32 %t114, ptr %t.115
  %t116 = getelementptr <8 x float>, ptr %total.all.59, i64 %t111
  %t117 = load <8 x float>, ptr %t116
  store <8 x float> %t117, ptr %total.118
  store i32 %t110, ptr %t.115
  store <8 x float> splat (float 0x0000000000000000), ptr %total.118
  br label %vector.end.112
vector.end.112:
  %t119 = load i32, ptr %t.115
  %t120 = getelementptr i32, ptr %t.all.57, i64 %t111
  store i32 %t119, ptr %t120
  %t121 = load <8 x float>, ptr %total.118
  %t122 = getelementptr <8 x float>, ptr %total.all.59, i64 %t111
  store <8 x float> %t121, ptr %t122
  %t123 = add i64 %t111, 1
  store i64 %t123, ptr %vector.86
  %t124 = add i32 %t105, 8
  store i32 %t124, ptr %counter.101
  br label %count.102
counted.end.104:
  %t127 = icmp ne i32 %t99, 0
  br i1 %t127, label %tail.125, label %row.end.126
tail.125:
  %t128 = insertelement <8 x i32> poison, i32 %t100, i64 0
  %t129 = shufflevector <8 x i32> %t128, <8 x i32> poison, <8 x i32> zeroinitializer
  %t130 = add <8 x i32> %t129, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t131 = insertelement <8 x i32> poison, i32 %t77, i64 0
  %t132 = shufflevector <8 x i32> %t131, <8 x i32> poison, <8 x i32> zeroinitializer
  %t133 = icmp slt <8 x i32> %t130, %t132
  %t134 = mul i32 %t91, %t81
  %t135 = add i32 %t134, %t97
  %t136 = mul i32 %t135, %t77
  %t137 = add i32 %t136, %t100
  %t138 = load i64, ptr %vector.86
  %t140 = getelementptr i32, ptr %t.all.57, i64 %t138
  %t141 = load i32, ptr %t140
  store i32 %t141, ptr %t.115
  %t142 = getelementptr <8 x float>, ptr %total.all.59, i64 %t138
  %t143 = load <8 x float>, ptr %t142
  store <8 x float> %t143, ptr %total.118
  store i32 %t137, ptr %t.115
  store <8 x float> splat (float 0x0000000000000000), ptr %total.118
  br label %vector.end.139
vector.end.139:
  %t144 = load i32, ptr %t.115
  %t145 = getelementptr i32, ptr %t.all.57, i64 %t138
  store i32 %t144, ptr %t145
  %t146 = load <8 x float>, ptr %total.118
  %t147 = getelementptr <8 x float>, ptr %total.all.59, i64 %t138
  store <8 x float> %t146, ptr %t147
  %t148 = add i64 %t138, 1
  store i64 %t148, ptr %vector.86
  br label %row.end.126
row.end.126:
  %t149 = add i32 %t97, 1
  store i32 %t149, ptr %counter.93
  br label %count.94
counted.end.96:
  %t150 = add i32 %t91, 1
  store i32 %t150, ptr %counter.87
  br label %count.88
counted.end.90:
  %t151 = mul i32 0, %t81
  %t152 = add i32 %t151, 0
  %t153 = mul i32 %t152, %t77
  %t154 = add i32 %t153, 0
  %t155 = mul i32 0, %t81
  %t156 = add i32 %t155, 0
  %t157 = mul i32 %t156, %t77
  %t158 = add i32 %t157, 0
  %t159 = mul i32 0, %t81
  %t160 = add i32 %t159, 0
  %t161 = mul i32 %t160, %t77
  %t162 = add i32 %t161, 0
  store i32 0, ptr %k.163
  br label %head.164
head.164:
  %t168 = load i32, ptr %k.163
  %t169 = icmp slt i32 %t168, %t35
  br i1 %t169, label %body.165, label %end.loop.167
body.165:
  store i64 0, ptr %vector.170
  store i32 0, ptr %counter.171
  br label %count.172
count.172:
  %t175 = load i32, ptr %counter.171
  %t176 = icmp slt i32 %t175, %t85
  br i1 %t176, label %counted.173, label %counted.end.174
counted.173:
  store i32 0, ptr %counter.177
  br label %count.178
count.178:
  %t181 = load i32, ptr %counter.177
  %t182 = icmp slt i32 %t181, %t81
  br i1 %t182, label %counted.179, label %counted.end.180
counted.179:
  %t183 = and i32 %t77, 7
  %t184 = sub i32 %t77, %t183
  store i32 0, ptr %counter.185
  br label %count.186
count.186:
  %t189 = load i32, ptr %counter.185
  %t190 = icmp slt i32 %t189, %t184
  br i1 %t190, label %counted.187, label %counted.end.188
counted.187:
  %t191 = mul i32 %t175, %t81
  %t192 = add i32 %t191, %t181
  %t193 = mul i32 %t192, %t77
  %t194 = add i32 %t193, %t189
  %t195 = load i64, ptr %vector.170
  %t197 = getelementptr i32, ptr %t.all.57, i64 %t195
  %t198 = load i32, ptr %t197
  store i32 %t198, ptr %t.115
  %t.199 = load i32, ptr %t.115
  %t.200 = load i32, ptr %t.115
  %t201 = add i32 %t.200, %t168
  %t202 = sext i32 %t201 to i64
  %t203 = getelementptr float, ptr %t33, i64 %t202
  %t204 = load <8 x float>, ptr %t203, align 4
  %t205 = sext i32 %t.199 to i64
  %t206 = getelementptr float, ptr %tile.36, i64 %t205
  store <8 x float> %t204, ptr %t206, align 4
  br label %vector.end.196
vector.end.196:
  %t209 = add i64 %t195, 1
  store i64 %t209, ptr %vector.170
  %t210 = add i32 %t189, 8
  store i32 %t210, ptr %counter.185
  br label %count.186
counted.end.188:
  %t213 = icmp ne i32 %t183, 0
  br i1 %t213, label %tail.211, label %row.end.212
tail.211:
  %t214 = insertelement <8 x i32> poison, i32 %t184, i64 0
  %t215 = shufflevector <8 x i32> %t214, <8 x i32> poison, <8 x i32> zeroinitializer
  %t216 = add <8 x i32> %t215, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t217 = insertelement <8 x i32> poison, i32 %t77, i64 0
  %t218 = shufflevector <8 x i32> %t217, <8 x i32> poison, <8 x i32> zeroinitializer
  %t219 = icmp slt <8 x i32> %t216, %t218
  %t220 = mul i32 %t175, %t81
  %t221 = add i32 %t220, %t181
  %t222 = mul i32 %t221, %t77
  %t223 = add i32 %t222, %t184
  %t224 = load i64, ptr %vector.170
  %t226 = getelementptr i32, ptr %t.all.57, i64 %t224
  %t227 = load i32, ptr %t226
  store i32 %t227, ptr %t.115
  %t.228 = load i32, ptr %t.115
  %t.229 = load i32, ptr %t.115
  %t230 = add i32 %t.229, %t168
  %t231 = sext i32 %t230 to i64
  %t232 = getelementptr float, ptr %t33, i64 %t231
  %t233 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4 %t232, <8 x i1> %t219, <8 x float> zeroinitializer)
  %t234 = sext i32 %t.228 to i64
  %t235 = getelementptr float, ptr %tile.36, i64 %t234
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t233, ptr align 4 %t235, <8 x i1> %t219)
  br label %vector.end.225
vector.end.225:
  %t236 = add i64 %t224, 1
  store i64 %t236, ptr %vector.170
  br label %row.end.212
row.end.212:
  %t237 = add i32 %t181, 1
  store i32 %t237, ptr %counter.177
  br label %count.178
counted.end.180:
  %t238 = add i32 %t175, 1
  store i32 %t238, ptr %counter.171
  br label %count.172
counted.end.174:
  store i64 0, ptr %vector.239
  store i32 0, ptr %counter.240
  br label %count.241
count.241:
  %t244 = load i32, ptr %counter.240
  %t245 = icmp slt i32 %t244, %t85
  br i1 %t245, label %counted.242, label %counted.end.243
counted.242:
  store i32 0, ptr %counter.246
  br label %count.247
count.247:
  %t250 = load i32, ptr %counter.246
  %t251 = icmp slt i32 %t250, %t81
  br i1 %t251, label %counted.248, label %counted.end.249
counted.248:
  %t252 = and i32 %t77, 7
  %t253 = sub i32 %t77, %t252
  store i32 0, ptr %counter.254
  br label %count.255
count.255:
  %t258 = load i32, ptr %counter.254
  %t259 = icmp slt i32 %t258, %t253
  br i1 %t259, label %counted.256, label %counted.end.257
counted.256:
  %t260 = mul i32 %t244, %t81
  %t261 = add i32 %t260, %t250
  %t262 = mul i32 %t261, %t77
  %t263 = add i32 %t262, %t258
  %t264 = load i64, ptr %vector.239
  %t266 = getelementptr i32, ptr %t.all.57, i64 %t264
  %t267 = load i32, ptr %t266
  store i32 %t267, ptr %t.115
  %t268 = getelementptr <8 x float>, ptr %total.all.59, i64 %t264
  %t269 = load <8 x float>, ptr %t268
  store <8 x float> %t269, ptr %total.118
  %total.270 = load <8 x float>, ptr %total.118
  %t.271 = load i32, ptr %t.115
  %t272 = sub i32 63, %t.271
  %t273 = sext i32 %t272 to i64
  %t274 = getelementptr float, ptr %tile.36, i64 %t273
  %t275 = getelementptr float, ptr %t274, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t276 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t275, <8 x i1> splat (i1 true), <8 x float> zeroinitializer)
  %t277 = fadd <8 x float> %total.270, %t276
  store <8 x float> %t277, ptr %total.118
  br label %vector.end.265
vector.end.265:
  %t278 = load <8 x float>, ptr %total.118
  %t279 = getelementptr <8 x float>, ptr %total.all.59, i64 %t264
  store <8 x float> %t278, ptr %t279
  %t280 = add i64 %t264, 1
  store i64 %t280, ptr %vector.239
  %t281 = add i32 %t258, 8
  store i32 %t281, ptr %counter.254
  br label %count.255
counted.end.257:
  %t284 = icmp ne i32 %t252, 0
  br i1 %t284, label %tail.282, label %row.end.283
tail.282:
  %t285 = insertelement <8 x i32> poison, i32 %t253, i64 0
  %t286 = shufflevector <8 x i32> %t285, <8 x i32> poison, <8 x i32> zeroinitializer
  %t287 = add <8 x i32> %t286, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t288 = insertelement <8 x i32> poison, i32 %t77, i64 0
  %t289 = shufflevector <8 x i32> %t288, <8 x i32> poison, <8 x i32> zeroinitializer
  %t290 = icmp slt <8 x i32> %t287, %t289
  %t291 = mul i32 %t244, %t81
  %t292 = add i32 %t291, %t250
  %t293 = mul i32 %t292, %t77
  %t294 = add i32 %t293, %t253
  %t295 = load i64, ptr %vector.239
  %t297 = getelementptr i32, ptr %t.all.57, i64 %t295
  %t298 = load i32, ptr %t297
  store i32 %t298, ptr %t.115
  %t299 = getelementptr <8 x float>, ptr %total.all.59, i64 %t295
  %t300 = load <8 x float>, ptr %t299
  store <8 x float> %t300, ptr %total.118
  %total.301 = load <8 x float>, ptr %total.118
  %t.302 = load i32, ptr %t.115
  %t303 = sub i32 63, %t.302
  %t304 = sext i32 %t303 to i64
  %t305 = getelementptr float, ptr %tile.36, i64 %t304
  %t306 = getelementptr float, ptr %t305, <8 x i64> <i64 0, i64 -1, i64 -2, i64 -3, i64 -4, i64 -5, i64 -6, i64 -7>
  %t307 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t306, <8 x i1> %t290, <8 x float> zeroinitializer)
  %t308 = fadd <8 x float> %total.301, %t307
  store <8 x float> %t308, ptr %total.118
  br label %vector.end.296
vector.end.296:
  %t309 = load <8 x float>, ptr %total.118
  %t310 = getelementptr <8 x float>, ptr %total.all.59, i64 %t295
  store <8 x float> %t309, ptr %t310
  %t311 = add i64 %t295, 1
  store i64 %t311, ptr %vector.239
  br label %row.end.283
row.end.283:
  %t312 = add i32 %t250, 1
  store i32 %t312, ptr %counter.246
  br label %count.247
counted.end.249:
  %t313 = add i32 %t244, 1
  store i32 %t313, ptr %counter.240
  br label %count.241
counted.end.243:
  br label %next.166
next.166:
  %t314 = add i32 %t168, 1
  store i32 %t314, ptr %k.163
  br label %head.164
end.loop.167:
  store i64 0, ptr %vector.315
  store i32 0, ptr %counter.316
  br label %count.317
count.317:
  %t320 = load i32, ptr %counter.316
  %t321 = icmp slt i32 %t320, %t85
  br i1 %t321, label %counted.318, label %counted.end.319
counted.318:
  store i32 0, ptr %counter.322
  br label %count.323
count.323:
  %t326 = load i32, ptr %counter.322
  %t327 = icmp slt i32 %t326, %t81
  br i1 %t327, label %counted.324, label %counted.end.325
counted.324:
  %t328 = and i32 %t77, 7
  %t329 = sub i32 %t77, %t328
  store i32 0, ptr %counter.330
  br label %count.331
count.331:
  %t334 = load i32, ptr %counter.330
  %t335 = icmp slt i32 %t334, %t329
  br i1 %t335, label %counted.332, label %counted.end.333
counted.332:
  %t336 = mul i32 %t320, %t81
  %t337 = add i32 %t336, %t326
  %t338 = mul i32 %t337, %t77
  %t339 = add i32 %t338, %t334
  %t340 = load i64, ptr %vector.315
  %t342 = getelementptr i32, ptr %t.all.57, i64 %t340
  %t343 = load i32, ptr %t342
  store i32 %t343, ptr %t.115
  %t344 = getelementptr <8 x float>, ptr %total.all.59, i64 %t340
  %t345 = load <8 x float>, ptr %t344
  store <8 x float> %t345, ptr %total.118
  %t.346 = load i32, ptr %t.115
  %total.347 = load <8 x float>, ptr %total.118
  %t348 = sext i32 %t.346 to i64
  %t349 = getelementptr float, ptr %t33, i64 %t348
  store <8 x float> %total.347, ptr %t349, align 4
  br label %vector.end.341
vector.end.341:
  %t352 = add i64 %t340, 1
  store i64 %t352, ptr %vector.315
  %t353 = add i32 %t334, 8
  store i32 %t353, ptr %counter.330
  br label %count.331
counted.end.333:
  %t356 = icmp ne i32 %t328, 0
  br i1 %t356, label %tail.354, label %row.end.355
tail.354:
  %t357 = insertelement <8 x i32> poison, i32 %t329, i64 0
  %t358 = shufflevector <8 x i32> %t357, <8 x i32> poison, <8 x i32> zeroinitializer
  %t359 = add <8 x i32> %t358, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t360 = insertelement <8 x i32> poison, i32 %t77, i64 0
  %t361 = shufflevector <8 x i32> %t360, <8 x i32> poison, <8 x i32> zeroinitializer
  %t362 = icmp slt <8 x i32> %t359, %t361
  %t363 = mul i32 %t320, %t81
  %t364 = add i32 %t363, %t326
  %t365 = mul i32 %t364, %t77
  %t366 = add i32 %t365, %t329
  %t367 = load i64, ptr %vector.315
  %t369 = getelementptr i32, ptr %t.all.57, i64 %t367
  %t370 = load i32, ptr %t369
  store i32 %t370, ptr %t.115
  %t371 = getelementptr <8 x float>, ptr %total.all.59, i64 %t367
  %t372 = load <8 x float>, ptr %t371
  store <8 x float> %t372, ptr %total.118
  %t.373 = load i32, ptr %t.115
  %total.374 = load <8 x float>, ptr %total.118
  %t375 = sext i32 %t.373 to i64
  %t376 = getelementptr float, ptr %t33, i64 %t375
  call void @llvm.masked.store.v8f32.p0(<8 x float> %total.374, ptr align 4 %t376, <8 x i1> %t362)
  br label %vector.end.368
vector.end.368:
  %t377 = add i64 %t367, 1
  store i64 %t377, ptr %vector.315
  br label %row.end.355
row.end.355:
  %t378 = add i32 %t326, 1
  store i32 %t378, ptr %counter.322
  br label %count.323
counted.end.325:
  %t379 = add i32 %t320, 1
  store i32 %t379, ptr %counter.316
  br label %count.317
counted.end.319:
  br label %group.end.64
group.end.64:
  %t380 = add i64 %t65, 1
  store i64 %t380, ptr %group.60
  br label %groups.61
done.63:
  call void @free(ptr %t54)
  ret void
}

!0 = !{}
declare ptr @malloc(i64)
declare ptr @llvm.ptrmask.p0.i64(ptr, i64)
declare i32 @llvm.smin.i32(i32, i32)
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4, <8 x i1>, <8 x float>)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr align 4, <8 x i1>)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4, <8 x i1>, <8 x float>)
declare void @free(ptr)
