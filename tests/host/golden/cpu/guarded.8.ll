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
  %t114 = sext i32 %t87 to i64
  %t115 = getelementptr i32, ptr %t39, i64 %t114
  %t116 = call <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4 %t115, <8 x i1> %t95, <8 x i32> zeroinitializer)
  %t117 = sext <8 x i32> %t116 to <8 x i64>
  %t118 = getelementptr float, ptr %t33, <8 x i64> %t117
  %t119 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t118, <8 x i1> %t95, <8 x float> zeroinitializer)
  %t120 = fmul <8 x float> %t119, splat (float 0x4000000000000000)
  %t121 = sext i32 %t87 to i64
  %t122 = getelementptr float, ptr %t33, i64 %t121
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t120, ptr align 4 %t122, <8 x i1> %t95)
  br label %both.102
both.102:
  br label %join.97
join.97:
  %t123 = sext i32 0 to i64
  %t124 = getelementptr i32, ptr %t39, i64 %t123
  store i32 7, ptr %t124, align 4
  br label %vector.end.88
vector.end.88:
  %t125 = add i32 %t85, 8
  store i32 %t125, ptr %counter.81
  br label %count.82
counted.end.84:
  %t128 = icmp ne i32 %t79, 0
  br i1 %t128, label %tail.126, label %row.end.127
tail.126:
  %t129 = insertelement <8 x i32> poison, i32 %t80, i64 0
  %t130 = shufflevector <8 x i32> %t129, <8 x i32> poison, <8 x i32> zeroinitializer
  %t131 = add <8 x i32> %t130, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t132 = insertelement <8 x i32> poison, i32 %t57, i64 0
  %t133 = shufflevector <8 x i32> %t132, <8 x i32> poison, <8 x i32> zeroinitializer
  %t134 = icmp slt <8 x i32> %t131, %t133
  %t135 = add i32 %t55, %t80
  %t137 = trunc i64 %t29 to i32
  %t138 = insertelement <8 x i32> poison, i32 %t135, i64 0
  %t139 = shufflevector <8 x i32> %t138, <8 x i32> poison, <8 x i32> zeroinitializer
  %t140 = add <8 x i32> %t139, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %t141 = insertelement <8 x i32> poison, i32 %t137, i64 0
  %t142 = shufflevector <8 x i32> %t141, <8 x i32> poison, <8 x i32> zeroinitializer
  %t143 = icmp slt <8 x i32> %t140, %t142
  %t144 = and <8 x i1> %t134, %t143
  %t147 = bitcast <8 x i1> %t144 to i8
  %t148 = icmp ne i8 %t147, 0
  br i1 %t148, label %some.145, label %join.146
some.145:
  %t149 = sext i32 %t135 to i64
  %t150 = getelementptr i32, ptr %t39, i64 %t149
  %t151 = call <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4 %t150, <8 x i1> %t144, <8 x i32> zeroinitializer)
  %t152 = sext <8 x i32> %t151 to <8 x i64>
  %t153 = getelementptr float, ptr %t33, <8 x i64> %t152
  %t154 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %t153, <8 x i1> %t144, <8 x float> zeroinitializer)
  %t155 = fmul <8 x float> %t154, splat (float 0x4000000000000000)
  %t156 = sext i32 %t135 to i64
  %t157 = getelementptr float, ptr %t33, i64 %t156
  call void @llvm.masked.store.v8f32.p0(<8 x float> %t155, ptr align 4 %t157, <8 x i1> %t144)
  br label %join.146
join.146:
  %t158 = sext i32 0 to i64
  %t159 = getelementptr i32, ptr %t39, i64 %t158
  store i32 7, ptr %t159, align 4
  br label %vector.end.136
vector.end.136:
  br label %row.end.127
row.end.127:
  %t160 = add i32 %t77, 1
  store i32 %t160, ptr %counter.73
  br label %count.74
counted.end.76:
  %t161 = add i32 %t71, 1
  store i32 %t161, ptr %counter.67
  br label %count.68
counted.end.70:
  br label %group.end.44
group.end.44:
  %t162 = add i64 %t45, 1
  store i64 %t162, ptr %group.40
  br label %groups.41
done.43:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4, <8 x i1>, <8 x float>)
declare <8 x i32> @llvm.masked.load.v8i32.p0(ptr align 4, <8 x i1>, <8 x i32>)
declare void @llvm.masked.store.v8f32.p0(<8 x float>, ptr align 4, <8 x i1>)
