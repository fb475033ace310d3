; kernel guarded, 16 threads a vector

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
  %t79 = and i32 %t57, 15
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
  %t90 = insertelement <16 x i32> poison, i32 %t87, i64 0
  %t91 = shufflevector <16 x i32> %t90, <16 x i32> poison, <16 x i32> zeroinitializer
  %t92 = add <16 x i32> %t91, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t93 = insertelement <16 x i32> poison, i32 %t89, i64 0
  %t94 = shufflevector <16 x i32> %t93, <16 x i32> poison, <16 x i32> zeroinitializer
  %t95 = icmp slt <16 x i32> %t92, %t94
  %t98 = bitcast <16 x i1> %t95 to i16
  %t99 = icmp ne i16 %t98, 0
  br i1 %t99, label %some.96, label %join.97
some.96:
  %t100 = sext i32 %t87 to i64
  %t101 = getelementptr i32, ptr %t39, i64 %t100
  %t102 = call <16 x i32> @llvm.masked.load.v16i32.p0(ptr align 4 %t101, <16 x i1> %t95, <16 x i32> zeroinitializer)
  %t103 = sext <16 x i32> %t102 to <16 x i64>
  %t104 = getelementptr float, ptr %t33, <16 x i64> %t103
  %t105 = call <16 x float> @llvm.masked.gather.v16f32.v16p0(<16 x ptr> align 4 %t104, <16 x i1> %t95, <16 x float> zeroinitializer)
  %t106 = fmul <16 x float> %t105, splat (float 0x4000000000000000)
  %t107 = sext i32 %t87 to i64
  %t108 = getelementptr float, ptr %t33, i64 %t107
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t106, ptr align 4 %t108, <16 x i1> %t95)
  br label %join.97
join.97:
  %t109 = sext i32 0 to i64
  %t110 = getelementptr i32, ptr %t39, i64 %t109
  store i32 7, ptr %t110, align 4
  br label %vector.end.88
vector.end.88:
  %t111 = add i32 %t85, 16
  store i32 %t111, ptr %counter.81
  br label %count.82
counted.end.84:
  %t114 = icmp ne i32 %t79, 0
  br i1 %t114, label %tail.112, label %row.end.113
tail.112:
  %t115 = insertelement <16 x i32> poison, i32 %t80, i64 0
  %t116 = shufflevector <16 x i32> %t115, <16 x i32> poison, <16 x i32> zeroinitializer
  %t117 = add <16 x i32> %t116, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t118 = insertelement <16 x i32> poison, i32 %t57, i64 0
  %t119 = shufflevector <16 x i32> %t118, <16 x i32> poison, <16 x i32> zeroinitializer
  %t120 = icmp slt <16 x i32> %t117, %t119
  %t121 = add i32 %t55, %t80
  %t123 = trunc i64 %t29 to i32
  %t124 = insertelement <16 x i32> poison, i32 %t121, i64 0
  %t125 = shufflevector <16 x i32> %t124, <16 x i32> poison, <16 x i32> zeroinitializer
  %t126 = add <16 x i32> %t125, <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %t127 = insertelement <16 x i32> poison, i32 %t123, i64 0
  %t128 = shufflevector <16 x i32> %t127, <16 x i32> poison, <16 x i32> zeroinitializer
  %t129 = icmp slt <16 x i32> %t126, %t128
  %t130 = and <16 x i1> %t120, %t129
  %t133 = bitcast <16 x i1> %t130 to i16
  %t134 = icmp ne i16 %t133, 0
  br i1 %t134, label %some.131, label %join.132
some.131:
  %t135 = sext i32 %t121 to i64
  %t136 = getelementptr i32, ptr %t39, i64 %t135
  %t137 = call <16 x i32> @llvm.masked.load.v16i32.p0(ptr align 4 %t136, <16 x i1> %t130, <16 x i32> zeroinitializer)
  %t138 = sext <16 x i32> %t137 to <16 x i64>
  %t139 = getelementptr float, ptr %t33, <16 x i64> %t138
  %t140 = call <16 x float> @llvm.masked.gather.v16f32.v16p0(<16 x ptr> align 4 %t139, <16 x i1> %t130, <16 x float> zeroinitializer)
  %t141 = fmul <16 x float> %t140, splat (float 0x4000000000000000)
  %t142 = sext i32 %t121 to i64
  %t143 = getelementptr float, ptr %t33, i64 %t142
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t141, ptr align 4 %t143, <16 x i1> %t130)
  br label %join.132
join.132:
  %t144 = sext i32 0 to i64
  %t145 = getelementptr i32, ptr %t39, i64 %t144
  store i32 7, ptr %t145, align 4
  br label %vector.end.122
vector.end.122:
  br label %row.end.113
row.end.113:
  %t146 = add i32 %t77, 1
  store i32 %t146, ptr %counter.73
  br label %count.74
counted.end.76:
  %t147 = add i32 %t71, 1
  store i32 %t147, ptr %counter.67
  br label %count.68
counted.end.70:
  br label %group.end.44
group.end.44:
  %t148 = add i64 %t45, 1
  store i64 %t148, ptr %group.40
  br label %groups.41
done.43:
  ret void
}

!0 = !{}
declare i32 @llvm.smin.i32(i32, i32)
declare <16 x i32> @llvm.masked.load.v16i32.p0(ptr align 4, <16 x i1>, <16 x i32>)
declare <16 x float> @llvm.masked.gather.v16f32.v16p0(<16 x ptr> align 4, <16 x i1>, <16 x float>)
declare void @llvm.masked.store.v16f32.p0(<16 x float>, ptr align 4, <16 x i1>)
