; kernel guarded, 8 threads a vector

define void @sm_entry(ptr noalias %arguments, i64 %begin, i64 %end) nounwind {
entry:
  %group.40 = alloca i64, align 64
  %vector.66 = alloca i64, align 64
  %counter.67 = alloca i32, align 64
  %counter.73 = alloca i32, align 64
  %counter.81 = alloca i32, align 64
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
  %t34 = getelementptr i64, ptr %arguments, i64 14
  %t35 = load i64, ptr %t34, !invariant.load !0
  %t36 = getelementptr i64, ptr %arguments, i64 15
  %t37 = load i64, ptr %t36, !invariant.load !0
  %t38 = getelementptr i64, ptr %arguments, i64 13
  %t39 = load ptr, ptr %t38, !invariant.load !0
  store i64 %begin, ptr %group.40
  br label %groups.41
groups.41:
  %t45 = load i64, ptr %group.40
  %t46 = icmp slt i64 %t45, %end
  br i1 %t46, label %group.42, label %done.43
group.42:
  %t47 = sext i32 %t21 to i64
  %t48 = sext i32 %t24 to i64
  %t49 = sext i32 %t27 to i64
  %t50 = sdiv i64 %t45, %t47
  %t51 = srem i64 %t45, %t47
  %t52 = srem i64 %t50, %t48
  %t53 = sdiv i64 %t50, %t48
  %t54 = trunc i64 %t51 to i32
  %t55 = mul i32 %t54, %t12
  %t56 = sub i32 %t3, %t55
  %t57 = call i32 @llvm.smin.i32(i32 %t56, i32 %t12)
  %t58 = trunc i64 %t52 to i32
  %t59 = mul i32 %t58, %t15
  %t60 = sub i32 %t6, %t59
  %t61 = call i32 @llvm.smin.i32(i32 %t60, i32 %t15)
  %t62 = trunc i64 %t53 to i32
  %t63 = mul i32 %t62, %t18
  %t64 = sub i32 %t9, %t63
  %t65 = call i32 @llvm.smin.i32(i32 %t64, i32 %t18)
  store i64 0, ptr %vector.66
  store i32 0, ptr %counter.67
  br label %count.68
count.68:
  %t71 = load i32, ptr %counter.67
  %t72 = icmp slt i32 %t71, %t65
  br i1 %t72, label %counted.69, label %counted.end.70
counted.69:
  store i32 0, ptr %counter.73
  br label %count.74
count.74:
  %t77 = load i32, ptr %counter.73
  %t78 = icmp slt i32 %t77, %t61
  br i1 %t78, label %counted.75, label %counted.end.76
counted.75:
  %t79 = and i32 %t57, 7
  %t80 = sub i32 %t57, %t79
  store i32 0, ptr %counter.81
  br label %count.82
count.82:
  %t85 = load i32, ptr %counter.81
  %t86 = icmp slt i32 %t85, %t80
  br i1 %t86, label %counted.83, label %counted.end.84
counted.83:
  %t87 = add i32 %t55, %t85
  %t89 = trunc i64 %t29 to i32
  %t90 = insertelement <8 x i32> poison, i32 %t87, i64 0
  %t91 = shufflevector <8 x i32> %t90, <8 x i32> poison, <8 x i32> zeroinitializer
  %t92 = add <8 x i32> %t91, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t93 = insertelement <8 x i32> poison, i32 %t89, i64 0
  %t94 = shufflevector <8 x i32> %t93, <8 x i32> poison, <8 x i32> zeroinitializer
  %t95 = icmp slt <8 x i32> %t92, %t94
  %t98 = bitcast <8 x i1> %t95 to i8
  %t99 = icmp ne i8 %t98, 0
  br i1 %t99, label %some.96, label %join.97
some.96:
  %t103 = bitcast <8 x i1> %t95 to i8
  %t104 = icmp eq i8 %t103, -1
  br i1 %t104, label %full.100, label %part.101
full.100:
  %t105 = sext i32 %t87 to i64
  %t106 = getelementptr i32, ptr %t39, i64 %t105
  %t107 = load <8 x i32>, ptr %t106, align 4
  %t108 = sext <8 x i32> %t107 to <8 x i64>
  %t109 = getelementptr float, ptr %t33, <8 x i64> %t108
  %t110 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t109, <8 x i1> splat (i1 true), <8 x float> zeroinitializer)
  %t111 = fmul <8 x float> %t110, splat (float 0x4000000000000000)
  %t112 = sext i32 %t87 to i64
  %t113 = getelementptr float, ptr %t33, i64 %t112
  store <8 x float> %t111, ptr %t113, align 4
  br label %both.102
part.101:
  %t116 = sext i32 %t87 to i64
  %t117 = getelementptr i32, ptr %t39, i64 %t116
  %t118 = call <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4 %t117, <8 x i1> %t95, <8 x i32> zeroinitializer)
  %t119 = sext <8 x i32> %t118 to <8 x i64>
  %t120 = getelementptr float, ptr %t33, <8 x i64> %t119
  %t121 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t120, <8 x i1> %t95, <8 x float> zeroinitializer)
  %t122 = fmul <8 x float> %t121, splat (float 0x4000000000000000)
  %t123 = sext i32 %t87 to i64
  %t124 = getelementptr float, ptr %t33, i64 %t123
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t122, ptr align 4 %t124, <8 x i1> %t95)
  br label %both.102
both.102:
  br label %join.97
join.97:
  %t125 = sext i32 0 to i64
  %t126 = getelementptr i32, ptr %t39, i64 %t125
  store i32 7, ptr %t126, align 4
  br label %vector.end.88
vector.end.88:
  %t127 = add i32 %t85, 8
  store i32 %t127, ptr %counter.81
  br label %count.82
counted.end.84:
  %t130 = icmp ne i32 %t79, 0
  br i1 %t130, label %tail.128, label %row.end.129
tail.128:
  %t131 = insertelement <8 x i32> poison, i32 %t80, i64 0
  %t132 = shufflevector <8 x i32> %t131, <8 x i32> poison, <8 x i32> zeroinitializer
  %t133 = add <8 x i32> %t132, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t134 = insertelement <8 x i32> poison, i32 %t57, i64 0
  %t135 = shufflevector <8 x i32> %t134, <8 x i32> poison, <8 x i32> zeroinitializer
  %t136 = icmp slt <8 x i32> %t133, %t135
  %t137 = add i32 %t55, %t80
  %t139 = trunc i64 %t29 to i32
  %t140 = insertelement <8 x i32> poison, i32 %t137, i64 0
  %t141 = shufflevector <8 x i32> %t140, <8 x i32> poison, <8 x i32> zeroinitializer
  %t142 = add <8 x i32> %t141, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t143 = insertelement <8 x i32> poison, i32 %t139, i64 0
  %t144 = shufflevector <8 x i32> %t143, <8 x i32> poison, <8 x i32> zeroinitializer
  %t145 = icmp slt <8 x i32> %t142, %t144
  %t146 = and <8 x i1> %t136, %t145
  %t149 = bitcast <8 x i1> %t146 to i8
  %t150 = icmp ne i8 %t149, 0
  br i1 %t150, label %some.147, label %join.148
some.147:
  %t151 = sext i32 %t137 to i64
  %t152 = getelementptr i32, ptr %t39, i64 %t151
  %t153 = call <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4 %t152, <8 x i1> %t146, <8 x i32> zeroinitializer)
  %t154 = sext <8 x i32> %t153 to <8 x i64>
  %t155 = getelementptr float, ptr %t33, <8 x i64> %t154
  %t156 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t155, <8 x i1> %t146, <8 x float> zeroinitializer)
  %t157 = fmul <8 x float> %t156, splat (float 0x4000000000000000)
  %t158 = sext i32 %t137 to i64
  %t159 = getelementptr float, ptr %t33, i64 %t158
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t157, ptr align 4 %t159, <8 x i1> %t146)
  br label %join.148
join.148:
  %t160 = sext i32 0 to i64
  %t161 = getelementptr i32, ptr %t39, i64 %t160
  store i32 7, ptr %t161, align 4
  br label %vector.end.138
vector.end.138:
  br label %row.end.129
row.end.129:
  %t162 = add i32 %t77, 1
  store i32 %t162, ptr %counter.73
  br label %count.74
counted.end.76:
  %t163 = add i32 %t71, 1
  store i32 %t163, ptr %counter.67
  br label %count.68
counted.end.70:
  br label %group.end.44
group.end.44:
  %t164 = add i64 %t45, 1
  store i64 %t164, ptr %group.40
  br label %groups.41
done.43:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4, <8 x i1>, <8 x float>)
declare <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4, <8 x i1>, <8 x i32>)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr align 4, <8 x i1>)
