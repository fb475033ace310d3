; 2401d810acffad9740e6: of direct.c, by tools/build_direct.py
%struct.slot = type { ptr, ptr }
%struct.number = type { i64, i64, i64, ptr }
%struct.pair = type { ptr, ptr, i64, i64 }
%struct.array = type { ptr, ptr, ptr }
%struct.fact = type { ptr, ptr, ptr }

define ptr @sm_run(ptr %self, ptr %values) {
entry:
  %values.addr = alloca ptr, align 8
  store ptr %values, ptr %values.addr, align 8
  %add.ptr.i = getelementptr inbounds nuw i8, ptr %self, i64 32
  %0 = load ptr, ptr %add.ptr.i, align 8
  %arrayidx.i.i = getelementptr inbounds nuw i8, ptr %values, i64 8
  %1 = load ptr, ptr %arrayidx.i.i, align 8
  %2 = load ptr, ptr %0, align 8
  %list_type.i = getelementptr inbounds nuw i8, ptr %2, i64 40
  %3 = load ptr, ptr %list_type.i, align 8
  %cmp.not.i = icmp eq ptr %1, %3
  br i1 %cmp.not.i, label %lor.lhs.false.i, label %if.then

lor.lhs.false.i:                                  ; preds = %entry
  %call.i.i = getelementptr inbounds nuw i8, ptr %2, i64 168
  %4 = load ptr, ptr %call.i.i, align 8
  %stream.i.i = getelementptr inbounds nuw i8, ptr %0, i64 8
  %5 = load ptr, ptr %stream.i.i, align 8
  %acquire.i.i = getelementptr inbounds nuw i8, ptr %5, i64 56
  %6 = load ptr, ptr %acquire.i.i, align 8
  %no.i.i = getelementptr inbounds nuw i8, ptr %2, i64 8
  %call2.i.i = tail call ptr %4(ptr %6, ptr %no.i.i, i64 1, ptr null)
  %tobool.not.i.i = icmp eq ptr %call2.i.i, null
  br i1 %tobool.not.i.i, label %take_lock.exit.thread.i, label %take_lock.exit.i

take_lock.exit.thread.i:                          ; preds = %lor.lhs.false.i
  %clear_error.i.i = getelementptr inbounds nuw i8, ptr %2, i64 160
  %7 = load ptr, ptr %clear_error.i.i, align 8
  tail call void %7()
  %.pre = load ptr, ptr %0, align 8
  br label %if.then

take_lock.exit.i:                                 ; preds = %lor.lhs.false.i
  %8 = load ptr, ptr %no.i.i, align 8
  %cmp.i.not.i = icmp eq ptr %call2.i.i, %8
  %release.i.i = getelementptr inbounds nuw i8, ptr %2, i64 184
  %9 = load ptr, ptr %release.i.i, align 8
  tail call void %9(ptr %call2.i.i)
  %.pre17 = load ptr, ptr %0, align 8
  br i1 %cmp.i.not.i, label %if.then, label %if.end.i

if.end.i:                                         ; preds = %take_lock.exit.i
  %10 = load ptr, ptr %stream.i.i, align 8
  %slot_count.i.i = getelementptr inbounds nuw i8, ptr %10, i64 72
  %11 = load i64, ptr %slot_count.i.i, align 8
  %cmp38.i.i = icmp sgt i64 %11, 0
  br i1 %cmp38.i.i, label %for.body.lr.ph.i.i, label %for.end.i.i

for.body.lr.ph.i.i:                               ; preds = %if.end.i
  %slots.i.i = getelementptr inbounds nuw i8, ptr %10, i64 80
  %12 = load ptr, ptr %slots.i.i, align 8
  br label %for.body.i.i

for.cond.i.i:                                     ; preds = %for.body.i.i
  %inc.i.i = add nuw nsw i64 %i.039.i.i, 1
  %exitcond.not.i.i = icmp eq i64 %inc.i.i, %11
  br i1 %exitcond.not.i.i, label %for.end.i.i, label %for.body.i.i

for.body.i.i:                                     ; preds = %for.cond.i.i, %for.body.lr.ph.i.i
  %i.039.i.i = phi i64 [ 0, %for.body.lr.ph.i.i ], [ %inc.i.i, %for.cond.i.i ]
  %arrayidx.i21.i = getelementptr inbounds nuw %struct.slot, ptr %12, i64 %i.039.i.i
  %13 = load ptr, ptr %arrayidx.i21.i, align 8
  %14 = load ptr, ptr %13, align 8
  %value.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i21.i, i64 8
  %15 = load ptr, ptr %value.i.i, align 8
  %cmp3.not.i.i = icmp eq ptr %14, %15
  br i1 %cmp3.not.i.i, label %for.cond.i.i, label %land.end11.i

for.end.i.i:                                      ; preds = %for.cond.i.i, %if.end.i
  %pending4.i.i = getelementptr inbounds nuw i8, ptr %10, i64 8
  %16 = load ptr, ptr %pending4.i.i, align 8
  %17 = load ptr, ptr %16, align 8
  %tobool.not.i20.i = icmp eq ptr %17, null
  br i1 %tobool.not.i20.i, label %land.end11.i, label %lor.lhs.false.i.i

lor.lhs.false.i.i:                                ; preds = %for.end.i.i
  %arrayidx.i.i.i = getelementptr inbounds nuw i8, ptr %17, i64 8
  %18 = load ptr, ptr %arrayidx.i.i.i, align 8
  %list_type.i.i = getelementptr inbounds nuw i8, ptr %.pre17, i64 40
  %19 = load ptr, ptr %list_type.i.i, align 8
  %cmp5.not.i.i = icmp eq ptr %18, %19
  br i1 %cmp5.not.i.i, label %lor.lhs.false6.i.i, label %land.end11.i

lor.lhs.false6.i.i:                               ; preds = %lor.lhs.false.i.i
  %list_size.i.i = getelementptr inbounds nuw i8, ptr %.pre17, i64 96
  %20 = load ptr, ptr %list_size.i.i, align 8
  %call7.i.i = tail call i64 %20(ptr %17)
  %tobool8.not.i.i = icmp eq i64 %call7.i.i, 0
  br i1 %tobool8.not.i.i, label %if.end10.i.i, label %land.end11.i

if.end10.i.i:                                     ; preds = %lor.lhs.false6.i.i
  %21 = load ptr, ptr %10, align 8
  %22 = load ptr, ptr %21, align 8
  %submission11.i.i = getelementptr inbounds nuw i8, ptr %10, i64 32
  %23 = load i64, ptr %submission11.i.i, align 8
  %add.ptr.i.i.i = getelementptr inbounds i8, ptr %22, i64 %23
  %24 = load ptr, ptr %add.ptr.i.i.i, align 8
  %tobool13.not.i.i = icmp eq ptr %24, null
  br i1 %tobool13.not.i.i, label %land.end11.i, label %lor.lhs.false14.i.i

lor.lhs.false14.i.i:                              ; preds = %if.end10.i.i
  %25 = load ptr, ptr %.pre17, align 8
  %cmp15.i.i = icmp eq ptr %24, %25
  br i1 %cmp15.i.i, label %land.end11.i, label %is_open.exit.i

is_open.exit.i:                                   ; preds = %lor.lhs.false14.i.i
  %fact_count.i.i = getelementptr inbounds nuw i8, ptr %10, i64 88
  %26 = load i64, ptr %fact_count.i.i, align 8
  %facts.i.i = getelementptr inbounds nuw i8, ptr %10, i64 96
  %27 = load ptr, ptr %facts.i.i, align 8
  %call18.i.i = tail call fastcc i32 @are_facts(ptr %.pre17, i64 %26, ptr %27)
  %tobool4.not.i = icmp eq i32 %call18.i.i, 0
  br i1 %tobool4.not.i, label %land.end11.i, label %land.rhs.i

land.rhs.i:                                       ; preds = %is_open.exit.i
  %28 = load ptr, ptr %0, align 8
  %number_count.i.i = getelementptr inbounds nuw i8, ptr %0, i64 56
  %29 = load i64, ptr %number_count.i.i, align 8
  %cmp.not40.i.i = icmp sgt i64 %29, 0
  br i1 %cmp.not40.i.i, label %for.body.lr.ph.i25.i, label %for.end.i22.i

for.body.lr.ph.i25.i:                             ; preds = %land.rhs.i
  %numbers.i.i = getelementptr inbounds nuw i8, ptr %0, i64 64
  %list_size.i26.i = getelementptr inbounds nuw i8, ptr %28, i64 96
  %list_item.i.i = getelementptr inbounds nuw i8, ptr %28, i64 104
  %int_type.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 24
  %as_signed.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 136
  %error34.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 152
  %as_unsigned.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 128
  %float_type.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 32
  %as_double.i.i.i = getelementptr inbounds nuw i8, ptr %28, i64 144
  br label %for.body.i27.i

for.body.i27.i:                                   ; preds = %for.inc.i.i, %for.body.lr.ph.i25.i
  %i.041.i.i = phi i64 [ 0, %for.body.lr.ph.i25.i ], [ %inc.i33.i, %for.inc.i.i ]
  %30 = load ptr, ptr %numbers.i.i, align 8
  %arrayidx.i28.i = getelementptr inbounds nuw %struct.number, ptr %30, i64 %i.041.i.i
  %31 = load i64, ptr %arrayidx.i28.i, align 8
  %cmp3.i.i = icmp slt i64 %31, 0
  br i1 %cmp3.i.i, label %cond.true.i.i, label %cond.end.i.i

cond.true.i.i:                                    ; preds = %for.body.i27.i
  %32 = load ptr, ptr %list_size.i26.i, align 8
  %call.i34.i = tail call i64 %32(ptr %values)
  %add.i.i = add nsw i64 %call.i34.i, %31
  br label %cond.end.i.i

cond.end.i.i:                                     ; preds = %cond.true.i.i, %for.body.i27.i
  %cond.i.i = phi i64 [ %add.i.i, %cond.true.i.i ], [ %31, %for.body.i27.i ]
  %33 = load ptr, ptr %list_item.i.i, align 8
  %call6.i.i = tail call ptr %33(ptr %values, i64 %cond.i.i)
  %tobool.not.i29.i = icmp eq ptr %call6.i.i, null
  br i1 %tobool.not.i29.i, label %if.then.i31.i, label %lor.lhs.false.i30.i

lor.lhs.false.i30.i:                              ; preds = %cond.end.i.i
  %kind.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 16
  %34 = load i64, ptr %kind.i.i.i, align 8
  %35 = and i64 %34, -2
  %switch.i.i.i = icmp eq i64 %35, 4
  %arrayidx.i.i.i.i = getelementptr inbounds nuw i8, ptr %call6.i.i, i64 8
  %36 = load ptr, ptr %arrayidx.i.i.i.i, align 8
  br i1 %switch.i.i.i, label %if.then.i.i.i, label %if.end11.i.i.i

if.then.i.i.i:                                    ; preds = %lor.lhs.false.i30.i
  %37 = load ptr, ptr %float_type.i.i.i, align 8
  %cmp3.not.i.i.i = icmp eq ptr %36, %37
  br i1 %cmp3.not.i.i.i, label %if.end.i.i.i, label %if.then.i31.i

if.end.i.i.i:                                     ; preds = %if.then.i.i.i
  %38 = load ptr, ptr %as_double.i.i.i, align 8
  %call5.i.i.i = tail call double %38(ptr %call6.i.i)
  %39 = load i64, ptr %kind.i.i.i, align 8
  %cmp7.i.i.i = icmp eq i64 %39, 4
  br i1 %cmp7.i.i.i, label %if.then8.i.i.i, label %if.else.i.i.i

if.then8.i.i.i:                                   ; preds = %if.end.i.i.i
  %conv.i.i.i = fptrunc double %call5.i.i.i to float
  %target.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 24
  %40 = load ptr, ptr %target.i.i.i, align 8
  store float %conv.i.i.i, ptr %40, align 4
  br label %for.inc.i.i

if.else.i.i.i:                                    ; preds = %if.end.i.i.i
  %target9.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 24
  %41 = load ptr, ptr %target9.i.i.i, align 8
  store double %call5.i.i.i, ptr %41, align 8
  br label %for.inc.i.i

if.end11.i.i.i:                                   ; preds = %lor.lhs.false.i30.i
  %42 = load ptr, ptr %int_type.i.i.i, align 8
  %cmp13.not.i.i.i = icmp eq ptr %36, %42
  br i1 %cmp13.not.i.i.i, label %if.end16.i.i.i, label %if.then.i31.i

if.end16.i.i.i:                                   ; preds = %if.end11.i.i.i
  %cmp18.i.i.i = icmp eq i64 %34, 0
  br i1 %cmp18.i.i.i, label %if.then20.i.i.i, label %if.end28.i.i.i

if.then20.i.i.i:                                  ; preds = %if.end16.i.i.i
  %43 = load ptr, ptr %as_unsigned.i.i.i, align 8
  %call21.i.i.i = tail call i64 %43(ptr %call6.i.i)
  %cmp22.i.i.i = icmp eq i64 %call21.i.i.i, -1
  br i1 %cmp22.i.i.i, label %land.lhs.true.i.i.i, label %if.end26.i.i.i

land.lhs.true.i.i.i:                              ; preds = %if.then20.i.i.i
  %44 = load ptr, ptr %error34.i.i.i, align 8
  %call24.i.i.i = tail call ptr %44()
  %tobool.not.i.i.i = icmp eq ptr %call24.i.i.i, null
  br i1 %tobool.not.i.i.i, label %if.end26.i.i.i, label %if.then.i31.i

if.end26.i.i.i:                                   ; preds = %land.lhs.true.i.i.i, %if.then20.i.i.i
  %more.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 8
  %45 = load i64, ptr %more.i.i.i, align 8
  %add.i.i.i = add i64 %45, %call21.i.i.i
  %target27.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 24
  %46 = load ptr, ptr %target27.i.i.i, align 8
  store i64 %add.i.i.i, ptr %46, align 8
  br label %for.inc.i.i

if.end28.i.i.i:                                   ; preds = %if.end16.i.i.i
  %47 = load ptr, ptr %as_signed.i.i.i, align 8
  %call30.i.i.i = tail call i64 %47(ptr %call6.i.i)
  %cmp31.i.i.i = icmp eq i64 %call30.i.i.i, -1
  br i1 %cmp31.i.i.i, label %land.lhs.true33.i.i.i, label %if.end38.i.i.i

land.lhs.true33.i.i.i:                            ; preds = %if.end28.i.i.i
  %48 = load ptr, ptr %error34.i.i.i, align 8
  %call35.i.i.i = tail call ptr %48()
  %tobool36.not.i.i.i = icmp eq ptr %call35.i.i.i, null
  br i1 %tobool36.not.i.i.i, label %if.end38.i.i.i, label %if.then.i31.i

if.end38.i.i.i:                                   ; preds = %land.lhs.true33.i.i.i, %if.end28.i.i.i
  %49 = load i64, ptr %kind.i.i.i, align 8
  %cmp40.i.i.i = icmp eq i64 %49, 2
  br i1 %cmp40.i.i.i, label %if.then42.i.i.i, label %if.end44.i.i.i

if.then42.i.i.i:                                  ; preds = %if.end38.i.i.i
  %target43.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 24
  %50 = load ptr, ptr %target43.i.i.i, align 8
  store i64 %call30.i.i.i, ptr %50, align 8
  br label %for.inc.i.i

if.end44.i.i.i:                                   ; preds = %if.end38.i.i.i
  %cmp46.i.i.i = icmp eq i64 %49, 1
  %cond.i.i.i = select i1 %cmp46.i.i.i, i64 -2147483648, i64 0
  %cmp52.i.i.i = icmp slt i64 %call30.i.i.i, %cond.i.i.i
  %cond51.i.i.i = select i1 %cmp46.i.i.i, i64 2147483647, i64 4294967295
  %cmp55.i.i.i = icmp sgt i64 %call30.i.i.i, %cond51.i.i.i
  %or.cond.i.i.i = or i1 %cmp52.i.i.i, %cmp55.i.i.i
  br i1 %or.cond.i.i.i, label %if.then.i31.i, label %if.end58.i.i.i

if.end58.i.i.i:                                   ; preds = %if.end44.i.i.i
  %conv59.i.i.i = trunc i64 %call30.i.i.i to i32
  %target60.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i28.i, i64 24
  %51 = load ptr, ptr %target60.i.i.i, align 8
  store i32 %conv59.i.i.i, ptr %51, align 4
  br label %for.inc.i.i

if.then.i31.i:                                    ; preds = %if.end44.i.i.i, %land.lhs.true33.i.i.i, %land.lhs.true.i.i.i, %if.end11.i.i.i, %if.then.i.i.i, %cond.end.i.i
  %52 = load ptr, ptr %error34.i.i.i, align 8
  %call9.i.i = tail call ptr %52()
  %tobool10.not.i.i = icmp eq ptr %call9.i.i, null
  br i1 %tobool10.not.i.i, label %land.end11.i, label %if.then11.i.i

if.then11.i.i:                                    ; preds = %if.then.i31.i
  %clear_error.i32.i = getelementptr inbounds nuw i8, ptr %28, i64 160
  %53 = load ptr, ptr %clear_error.i32.i, align 8
  tail call void %53()
  br label %land.end11.i

for.inc.i.i:                                      ; preds = %if.end58.i.i.i, %if.then42.i.i.i, %if.end26.i.i.i, %if.else.i.i.i, %if.then8.i.i.i
  %inc.i33.i = add nuw nsw i64 %i.041.i.i, 1
  %54 = load i64, ptr %number_count.i.i, align 8
  %cmp.not.i.i = icmp slt i64 %inc.i33.i, %54
  br i1 %cmp.not.i.i, label %for.body.i27.i, label %for.end.i22.i

for.end.i22.i:                                    ; preds = %for.inc.i.i, %land.rhs.i
  %pair_count.i.i.i = getelementptr inbounds nuw i8, ptr %0, i64 72
  %55 = load i64, ptr %pair_count.i.i.i, align 8
  %cmp15.i.i.i = icmp sgt i64 %55, 0
  br i1 %cmp15.i.i.i, label %for.body.lr.ph.i.i.i, label %land.rhs8.i

for.body.lr.ph.i.i.i:                             ; preds = %for.end.i22.i
  %pairs.i.i.i = getelementptr inbounds nuw i8, ptr %0, i64 80
  %56 = load ptr, ptr %pairs.i.i.i, align 8
  br label %for.body.i.i.i

for.body.i.i.i:                                   ; preds = %if.end.i36.i.i, %for.body.lr.ph.i.i.i
  %i.016.i.i.i = phi i64 [ 0, %for.body.lr.ph.i.i.i ], [ %inc.i.i.i, %if.end.i36.i.i ]
  %arrayidx.i.i24.i = getelementptr inbounds nuw %struct.pair, ptr %56, i64 %i.016.i.i.i
  %second.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 8
  %57 = load ptr, ptr %second.i.i.i, align 8
  %58 = load i64, ptr %57, align 8
  %59 = load ptr, ptr %arrayidx.i.i24.i, align 8
  %60 = load i64, ptr %59, align 8
  %sub.i.i.i = sub i64 %58, %60
  %least.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 16
  %61 = load i64, ptr %least.i.i.i, align 8
  %cmp1.i.i.i = icmp slt i64 %61, %sub.i.i.i
  br i1 %cmp1.i.i.i, label %land.lhs.true.i37.i.i, label %if.end.i36.i.i

land.lhs.true.i37.i.i:                            ; preds = %for.body.i.i.i
  %greatest.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 24
  %62 = load i64, ptr %greatest.i.i.i, align 8
  %cmp2.i.i.i = icmp slt i64 %sub.i.i.i, %62
  br i1 %cmp2.i.i.i, label %land.end11.i, label %if.end.i36.i.i

if.end.i36.i.i:                                   ; preds = %land.lhs.true.i37.i.i, %for.body.i.i.i
  %inc.i.i.i = add nuw nsw i64 %i.016.i.i.i, 1
  %exitcond.not.i.i.i = icmp eq i64 %inc.i.i.i, %55
  br i1 %exitcond.not.i.i.i, label %land.rhs8.i, label %for.body.i.i.i

land.rhs8.i:                                      ; preds = %if.end.i36.i.i, %for.end.i22.i
  %call9.i = tail call fastcc i32 @join_batch(ptr %0)
  %63 = icmp eq i32 %call9.i, 0
  br label %land.end11.i

land.end11.i:                                     ; preds = %for.body.i.i, %land.lhs.true.i37.i.i, %land.rhs8.i, %if.then11.i.i, %if.then.i31.i, %is_open.exit.i, %lor.lhs.false14.i.i, %if.end10.i.i, %lor.lhs.false6.i.i, %lor.lhs.false.i.i, %for.end.i.i
  %land.ext12.i = phi i1 [ true, %land.lhs.true.i37.i.i ], [ %63, %land.rhs8.i ], [ true, %is_open.exit.i ], [ true, %if.end10.i.i ], [ true, %for.end.i.i ], [ true, %lor.lhs.false6.i.i ], [ true, %lor.lhs.false.i.i ], [ true, %lor.lhs.false14.i.i ], [ true, %if.then11.i.i ], [ true, %if.then.i31.i ], [ true, %for.body.i.i ]
  %64 = load ptr, ptr %0, align 8
  %call.i35.i = getelementptr inbounds nuw i8, ptr %64, i64 168
  %65 = load ptr, ptr %call.i35.i, align 8
  %66 = load ptr, ptr %stream.i.i, align 8
  %release.i37.i = getelementptr inbounds nuw i8, ptr %66, i64 64
  %67 = load ptr, ptr %release.i37.i, align 8
  %call1.i.i = tail call ptr %65(ptr %67, ptr null, i64 0, ptr null)
  %tobool.not.i38.i = icmp eq ptr %call1.i.i, null
  %68 = load ptr, ptr %0, align 8
  br i1 %tobool.not.i38.i, label %if.else.i.i, label %if.then.i39.i

if.then.i39.i:                                    ; preds = %land.end11.i
  %release3.i.i = getelementptr inbounds nuw i8, ptr %68, i64 184
  %69 = load ptr, ptr %release3.i.i, align 8
  tail call void %69(ptr %call1.i.i)
  br label %launch_values.exit

if.else.i.i:                                      ; preds = %land.end11.i
  %clear_error.i41.i = getelementptr inbounds nuw i8, ptr %68, i64 160
  %70 = load ptr, ptr %clear_error.i41.i, align 8
  tail call void %70()
  br label %launch_values.exit

launch_values.exit:                               ; preds = %if.then.i39.i, %if.else.i.i
  %.pre18 = load ptr, ptr %0, align 8
  br i1 %land.ext12.i, label %if.then, label %if.end

if.then:                                          ; preds = %entry, %take_lock.exit.i, %take_lock.exit.thread.i, %launch_values.exit
  %71 = phi ptr [ %2, %entry ], [ %.pre17, %take_lock.exit.i ], [ %.pre, %take_lock.exit.thread.i ], [ %.pre18, %launch_values.exit ]
  %call2 = getelementptr inbounds nuw i8, ptr %71, i64 168
  %72 = load ptr, ptr %call2, align 8
  %slow = getelementptr inbounds nuw i8, ptr %0, i64 88
  %73 = load ptr, ptr %slow, align 8
  %call3 = call ptr %72(ptr %73, ptr %values.addr, i64 1, ptr null)
  br label %cleanup

if.end:                                           ; preds = %launch_values.exit
  %retain = getelementptr inbounds nuw i8, ptr %.pre18, i64 176
  %74 = load ptr, ptr %retain, align 8
  %75 = load ptr, ptr %.pre18, align 8
  tail call void %74(ptr %75)
  %76 = load ptr, ptr %0, align 8
  %77 = load ptr, ptr %76, align 8
  br label %cleanup

cleanup:                                          ; preds = %if.end, %if.then
  %retval.0 = phi ptr [ %77, %if.end ], [ %call3, %if.then ]
  ret ptr %retval.0
}

declare void @llvm.lifetime.start.p0(ptr)

declare void @llvm.lifetime.end.p0(ptr)

define ptr @sm_launch(ptr %self, ptr %given, i64 %count) {
entry:
  %add.ptr.i = getelementptr inbounds nuw i8, ptr %self, i64 32
  %0 = load ptr, ptr %add.ptr.i, align 8
  %1 = load ptr, ptr %0, align 8
  %2 = load ptr, ptr %1, align 8
  %cmp = icmp eq i64 %count, 6
  br i1 %cmp, label %for.cond.preheader, label %if.end7

for.cond.preheader:                               ; preds = %entry
  %arrayidx.i = getelementptr inbounds nuw i8, ptr %given, i64 16
  %arrayidx2.i = getelementptr inbounds nuw i8, ptr %given, i64 32
  %arrayidx6.i = getelementptr inbounds nuw i8, ptr %given, i64 40
  %arrayidx9.i = getelementptr inbounds nuw i8, ptr %given, i64 8
  %arrayidx11.i = getelementptr inbounds nuw i8, ptr %given, i64 24
  br label %for.body

for.body:                                         ; preds = %for.cond.preheader, %for.inc
  %kernel.060 = phi ptr [ %0, %for.cond.preheader ], [ %126, %for.inc ]
  %3 = load ptr, ptr %kernel.060, align 8
  %4 = load ptr, ptr %3, align 8
  %5 = load ptr, ptr %arrayidx.i, align 8
  %6 = load ptr, ptr %4, align 8
  %cmp.not.i = icmp eq ptr %5, %6
  br i1 %cmp.not.i, label %lor.lhs.false.i, label %for.inc

lor.lhs.false.i:                                  ; preds = %for.body
  %7 = load ptr, ptr %arrayidx2.i, align 8
  %cmp4.not.i = icmp eq ptr %7, %5
  br i1 %cmp4.not.i, label %lor.lhs.false5.i, label %for.inc

lor.lhs.false5.i:                                 ; preds = %lor.lhs.false.i
  %8 = load ptr, ptr %arrayidx6.i, align 8
  %cmp8.not.i = icmp eq ptr %8, %5
  br i1 %cmp8.not.i, label %if.end.i, label %for.inc

if.end.i:                                         ; preds = %lor.lhs.false5.i
  %9 = load ptr, ptr %arrayidx9.i, align 8
  %grid.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 16
  %10 = load ptr, ptr %grid.i, align 8
  %cmp.i.i = icmp eq ptr %9, %10
  br i1 %cmp.i.i, label %lor.lhs.false10.i, label %if.end.i.i

if.end.i.i:                                       ; preds = %if.end.i
  %arrayidx.i.i.i = getelementptr inbounds nuw i8, ptr %9, i64 8
  %11 = load ptr, ptr %arrayidx.i.i.i, align 8
  %int_type.i.i = getelementptr inbounds nuw i8, ptr %4, i64 24
  %12 = load ptr, ptr %int_type.i.i, align 8
  %cmp1.not.i.i = icmp eq ptr %11, %12
  br i1 %cmp1.not.i.i, label %lor.lhs.false.i.i, label %for.inc

lor.lhs.false.i.i:                                ; preds = %if.end.i.i
  %arrayidx.i15.i.i = getelementptr inbounds nuw i8, ptr %10, i64 8
  %13 = load ptr, ptr %arrayidx.i15.i.i, align 8
  %cmp4.not.i.i = icmp eq ptr %13, %11
  br i1 %cmp4.not.i.i, label %is_size.exit.i, label %for.inc

is_size.exit.i:                                   ; preds = %lor.lhs.false.i.i
  %compare.i.i = getelementptr inbounds nuw i8, ptr %4, i64 72
  %14 = load ptr, ptr %compare.i.i, align 8
  %call7.i.i = tail call i32 %14(ptr %9, ptr %10, i32 2)
  %cmp8.i.not.i = icmp eq i32 %call7.i.i, 1
  br i1 %cmp8.i.not.i, label %lor.lhs.false10.i, label %for.inc

lor.lhs.false10.i:                                ; preds = %is_size.exit.i, %if.end.i
  %15 = load ptr, ptr %arrayidx11.i, align 8
  %threads.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 24
  %16 = load ptr, ptr %threads.i, align 8
  %cmp.i62.i = icmp eq ptr %15, %16
  br i1 %cmp.i62.i, label %if.end15.i, label %if.end.i63.i

if.end.i63.i:                                     ; preds = %lor.lhs.false10.i
  %arrayidx.i.i64.i = getelementptr inbounds nuw i8, ptr %15, i64 8
  %17 = load ptr, ptr %arrayidx.i.i64.i, align 8
  %int_type.i65.i = getelementptr inbounds nuw i8, ptr %4, i64 24
  %18 = load ptr, ptr %int_type.i65.i, align 8
  %cmp1.not.i66.i = icmp eq ptr %17, %18
  br i1 %cmp1.not.i66.i, label %lor.lhs.false.i68.i, label %for.inc

lor.lhs.false.i68.i:                              ; preds = %if.end.i63.i
  %arrayidx.i15.i69.i = getelementptr inbounds nuw i8, ptr %16, i64 8
  %19 = load ptr, ptr %arrayidx.i15.i69.i, align 8
  %cmp4.not.i70.i = icmp eq ptr %19, %17
  br i1 %cmp4.not.i70.i, label %is_size.exit76.i, label %for.inc

is_size.exit76.i:                                 ; preds = %lor.lhs.false.i68.i
  %compare.i72.i = getelementptr inbounds nuw i8, ptr %4, i64 72
  %20 = load ptr, ptr %compare.i72.i, align 8
  %call7.i73.i = tail call i32 %20(ptr %15, ptr %16, i32 2)
  %cmp8.i74.not.i = icmp eq i32 %call7.i73.i, 1
  br i1 %cmp8.i74.not.i, label %if.end15.i, label %for.inc

if.end15.i:                                       ; preds = %is_size.exit76.i, %lor.lhs.false10.i
  %21 = load ptr, ptr %given, align 8
  %22 = load ptr, ptr %kernel.060, align 8
  %23 = load ptr, ptr %22, align 8
  %tuple_size.i.i = getelementptr inbounds nuw i8, ptr %23, i64 80
  %24 = load ptr, ptr %tuple_size.i.i, align 8
  %call.i.i = tail call i64 %24(ptr %21)
  %array_count.i.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 88
  %25 = load i64, ptr %array_count.i.i, align 8
  %cmp.not.i.i = icmp eq i64 %call.i.i, %25
  br i1 %cmp.not.i.i, label %for.cond.preheader.i.i, label %for.inc

for.cond.preheader.i.i:                           ; preds = %if.end15.i
  %tuple_item.i.i = getelementptr inbounds nuw i8, ptr %23, i64 88
  %pending.i.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 104
  %layout.i.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 112
  %address18.i.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 120
  %cmp3.not52.i.i = icmp slt i64 %call.i.i, 1
  br i1 %cmp3.not52.i.i, label %if.end20.i, label %for.body.lr.ph.i.i

for.body.lr.ph.i.i:                               ; preds = %for.cond.preheader.i.i
  %arrays.i.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 96
  %int_type.i77.i = getelementptr inbounds nuw i8, ptr %23, i64 24
  br label %for.body.i.i

for.cond.i.i:                                     ; preds = %lor.lhs.false.i79.i
  %inc.i.i = add nuw nsw i64 %i.053.i.i, 1
  %26 = load i64, ptr %array_count.i.i, align 8
  %cmp3.not.not.i.i = icmp slt i64 %inc.i.i, %26
  br i1 %cmp3.not.not.i.i, label %for.body.i.i, label %if.end20.i

for.body.i.i:                                     ; preds = %for.cond.i.i, %for.body.lr.ph.i.i
  %i.053.i.i = phi i64 [ 0, %for.body.lr.ph.i.i ], [ %inc.i.i, %for.cond.i.i ]
  %27 = load ptr, ptr %tuple_item.i.i, align 8
  %call4.i.i = tail call ptr %27(ptr %21, i64 %i.053.i.i)
  %28 = load ptr, ptr %arrays.i.i, align 8
  %arrayidx.i.i = getelementptr inbounds nuw %struct.array, ptr %28, i64 %i.053.i.i
  %arrayidx.i.i78.i = getelementptr inbounds nuw i8, ptr %call4.i.i, i64 8
  %29 = load ptr, ptr %arrayidx.i.i78.i, align 8
  %30 = load ptr, ptr %arrayidx.i.i, align 8
  %cmp6.not.i.i = icmp eq ptr %29, %30
  br i1 %cmp6.not.i.i, label %if.end8.i.i, label %for.inc

if.end8.i.i:                                      ; preds = %for.body.i.i
  %31 = load i64, ptr %pending.i.i, align 8
  %add.ptr.i.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %31
  %32 = load ptr, ptr %add.ptr.i.i.i, align 8
  %33 = load ptr, ptr %23, align 8
  %cmp10.not.i.i = icmp eq ptr %32, %33
  br i1 %cmp10.not.i.i, label %if.end12.i.i, label %for.inc

if.end12.i.i:                                     ; preds = %if.end8.i.i
  %34 = load i64, ptr %layout.i.i, align 8
  %add.ptr.i49.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %34
  %35 = load ptr, ptr %add.ptr.i49.i.i, align 8
  %layout14.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i, i64 8
  %36 = load ptr, ptr %layout14.i.i, align 8
  %cmp15.not.i.i = icmp eq ptr %35, %36
  br i1 %cmp15.not.i.i, label %if.end17.i.i, label %for.inc

if.end17.i.i:                                     ; preds = %if.end12.i.i
  %37 = load i64, ptr %address18.i.i, align 8
  %add.ptr.i50.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %37
  %38 = load ptr, ptr %add.ptr.i50.i.i, align 8
  %tobool.not.i.i = icmp eq ptr %38, null
  br i1 %tobool.not.i.i, label %for.inc, label %lor.lhs.false.i79.i

lor.lhs.false.i79.i:                              ; preds = %if.end17.i.i
  %arrayidx.i51.i.i = getelementptr inbounds nuw i8, ptr %38, i64 8
  %39 = load ptr, ptr %arrayidx.i51.i.i, align 8
  %40 = load ptr, ptr %int_type.i77.i, align 8
  %cmp21.not.i.i = icmp eq ptr %39, %40
  br i1 %cmp21.not.i.i, label %for.cond.i.i, label %for.inc

if.end20.i:                                       ; preds = %for.cond.i.i, %for.cond.preheader.i.i
  %variable_count.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 40
  %41 = load i64, ptr %variable_count.i, align 8
  %variables.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 48
  %42 = load ptr, ptr %variables.i, align 8
  %call21.i = tail call fastcc i32 @are_variables(ptr %4, i64 %41, ptr %42)
  %tobool22.not.i = icmp eq i32 %call21.i, 0
  br i1 %tobool22.not.i, label %for.inc, label %if.end24.i

if.end24.i:                                       ; preds = %if.end20.i
  %name_count.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 56
  %43 = load i64, ptr %name_count.i, align 8
  %names.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 64
  %44 = load ptr, ptr %names.i, align 8
  %call25.i = tail call fastcc i32 @are_names(ptr %4, i64 %43, ptr %44)
  %tobool26.not.i = icmp eq i32 %call25.i, 0
  br i1 %tobool26.not.i, label %for.inc, label %if.end28.i

if.end28.i:                                       ; preds = %if.end24.i
  %attribute_count.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 72
  %45 = load i64, ptr %attribute_count.i, align 8
  %attributes.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 80
  %46 = load ptr, ptr %attributes.i, align 8
  %call29.i = tail call fastcc i32 @are_facts(ptr %4, i64 %45, ptr %46)
  %tobool30.not.i = icmp eq i32 %call29.i, 0
  br i1 %tobool30.not.i, label %for.inc, label %if.end32.i

if.end32.i:                                       ; preds = %if.end28.i
  %waiting.i = getelementptr inbounds nuw i8, ptr %kernel.060, i64 32
  %47 = load ptr, ptr %waiting.i, align 8
  %tobool33.not.i = icmp eq ptr %47, null
  br i1 %tobool33.not.i, label %if.then5, label %is_asked_for.exit

is_asked_for.exit:                                ; preds = %if.end32.i
  %list_size.i = getelementptr inbounds nuw i8, ptr %4, i64 96
  %48 = load ptr, ptr %list_size.i, align 8
  %call35.i = tail call i64 %48(ptr %47)
  %tobool36.not.i.not = icmp eq i64 %call35.i, 0
  br i1 %tobool36.not.i.not, label %if.then5, label %for.inc

if.then5:                                         ; preds = %if.end32.i, %is_asked_for.exit
  %49 = load ptr, ptr %given, align 8
  %50 = load ptr, ptr %kernel.060, align 8
  %51 = load ptr, ptr %50, align 8
  %call.i.i15 = getelementptr inbounds nuw i8, ptr %51, i64 168
  %52 = load ptr, ptr %call.i.i15, align 8
  %stream.i.i = getelementptr inbounds nuw i8, ptr %50, i64 8
  %53 = load ptr, ptr %stream.i.i, align 8
  %acquire.i.i = getelementptr inbounds nuw i8, ptr %53, i64 56
  %54 = load ptr, ptr %acquire.i.i, align 8
  %no.i.i = getelementptr inbounds nuw i8, ptr %51, i64 8
  %call2.i.i = tail call ptr %52(ptr %54, ptr %no.i.i, i64 1, ptr null)
  %tobool.not.i.i16 = icmp eq ptr %call2.i.i, null
  br i1 %tobool.not.i.i16, label %take_lock.exit.thread.i, label %take_lock.exit.i

take_lock.exit.thread.i:                          ; preds = %if.then5
  %clear_error.i.i = getelementptr inbounds nuw i8, ptr %51, i64 160
  %55 = load ptr, ptr %clear_error.i.i, align 8
  tail call void %55()
  br label %launch_arrays.exit

take_lock.exit.i:                                 ; preds = %if.then5
  %56 = load ptr, ptr %no.i.i, align 8
  %cmp.i.not.i = icmp eq ptr %call2.i.i, %56
  %release.i.i = getelementptr inbounds nuw i8, ptr %51, i64 184
  %57 = load ptr, ptr %release.i.i, align 8
  tail call void %57(ptr %call2.i.i)
  br i1 %cmp.i.not.i, label %launch_arrays.exit, label %if.end.i17

if.end.i17:                                       ; preds = %take_lock.exit.i
  %58 = load ptr, ptr %50, align 8
  %59 = load ptr, ptr %stream.i.i, align 8
  %slot_count.i.i = getelementptr inbounds nuw i8, ptr %59, i64 72
  %60 = load i64, ptr %slot_count.i.i, align 8
  %cmp38.i.i = icmp sgt i64 %60, 0
  br i1 %cmp38.i.i, label %for.body.lr.ph.i.i47, label %for.end.i.i

for.body.lr.ph.i.i47:                             ; preds = %if.end.i17
  %slots.i.i = getelementptr inbounds nuw i8, ptr %59, i64 80
  %61 = load ptr, ptr %slots.i.i, align 8
  br label %for.body.i.i48

for.cond.i.i50:                                   ; preds = %for.body.i.i48
  %inc.i.i51 = add nuw nsw i64 %i.039.i.i, 1
  %exitcond.not.i.i = icmp eq i64 %inc.i.i51, %60
  br i1 %exitcond.not.i.i, label %for.end.i.i, label %for.body.i.i48

for.body.i.i48:                                   ; preds = %for.cond.i.i50, %for.body.lr.ph.i.i47
  %i.039.i.i = phi i64 [ 0, %for.body.lr.ph.i.i47 ], [ %inc.i.i51, %for.cond.i.i50 ]
  %arrayidx.i.i49 = getelementptr inbounds nuw %struct.slot, ptr %61, i64 %i.039.i.i
  %62 = load ptr, ptr %arrayidx.i.i49, align 8
  %63 = load ptr, ptr %62, align 8
  %value.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i49, i64 8
  %64 = load ptr, ptr %value.i.i, align 8
  %cmp3.not.i.i = icmp eq ptr %63, %64
  br i1 %cmp3.not.i.i, label %for.cond.i.i50, label %land.end12.i

for.end.i.i:                                      ; preds = %for.cond.i.i50, %if.end.i17
  %pending4.i.i = getelementptr inbounds nuw i8, ptr %59, i64 8
  %65 = load ptr, ptr %pending4.i.i, align 8
  %66 = load ptr, ptr %65, align 8
  %tobool.not.i21.i = icmp eq ptr %66, null
  br i1 %tobool.not.i21.i, label %land.end12.i, label %lor.lhs.false.i.i18

lor.lhs.false.i.i18:                              ; preds = %for.end.i.i
  %arrayidx.i.i.i19 = getelementptr inbounds nuw i8, ptr %66, i64 8
  %67 = load ptr, ptr %arrayidx.i.i.i19, align 8
  %list_type.i.i = getelementptr inbounds nuw i8, ptr %58, i64 40
  %68 = load ptr, ptr %list_type.i.i, align 8
  %cmp5.not.i.i = icmp eq ptr %67, %68
  br i1 %cmp5.not.i.i, label %lor.lhs.false6.i.i, label %land.end12.i

lor.lhs.false6.i.i:                               ; preds = %lor.lhs.false.i.i18
  %list_size.i.i = getelementptr inbounds nuw i8, ptr %58, i64 96
  %69 = load ptr, ptr %list_size.i.i, align 8
  %call7.i.i21 = tail call i64 %69(ptr %66)
  %tobool8.not.i.i = icmp eq i64 %call7.i.i21, 0
  br i1 %tobool8.not.i.i, label %if.end10.i.i, label %land.end12.i

if.end10.i.i:                                     ; preds = %lor.lhs.false6.i.i
  %70 = load ptr, ptr %59, align 8
  %71 = load ptr, ptr %70, align 8
  %submission11.i.i = getelementptr inbounds nuw i8, ptr %59, i64 32
  %72 = load i64, ptr %submission11.i.i, align 8
  %add.ptr.i.i.i22 = getelementptr inbounds i8, ptr %71, i64 %72
  %73 = load ptr, ptr %add.ptr.i.i.i22, align 8
  %tobool13.not.i.i = icmp eq ptr %73, null
  br i1 %tobool13.not.i.i, label %land.end12.i, label %lor.lhs.false14.i.i

lor.lhs.false14.i.i:                              ; preds = %if.end10.i.i
  %74 = load ptr, ptr %58, align 8
  %cmp15.i.i = icmp eq ptr %73, %74
  br i1 %cmp15.i.i, label %land.end12.i, label %is_open.exit.i

is_open.exit.i:                                   ; preds = %lor.lhs.false14.i.i
  %fact_count.i.i = getelementptr inbounds nuw i8, ptr %59, i64 88
  %75 = load i64, ptr %fact_count.i.i, align 8
  %facts.i.i = getelementptr inbounds nuw i8, ptr %59, i64 96
  %76 = load ptr, ptr %facts.i.i, align 8
  %call18.i.i = tail call fastcc i32 @are_facts(ptr %58, i64 %75, ptr %76)
  %tobool3.not.i = icmp eq i32 %call18.i.i, 0
  br i1 %tobool3.not.i, label %land.end12.i, label %land.rhs.i

land.rhs.i:                                       ; preds = %is_open.exit.i
  %77 = load ptr, ptr %kernel.060, align 8
  %78 = load ptr, ptr %77, align 8
  %tuple_size.i.i23 = getelementptr inbounds nuw i8, ptr %78, i64 80
  %79 = load ptr, ptr %tuple_size.i.i23, align 8
  %call.i22.i = tail call i64 %79(ptr %49)
  %80 = load i64, ptr %array_count.i.i, align 8
  %cmp.not.i.i25 = icmp eq i64 %call.i22.i, %80
  br i1 %cmp.not.i.i25, label %for.cond.preheader.i.i26, label %land.end12.i

for.cond.preheader.i.i26:                         ; preds = %land.rhs.i
  %tuple_item.i.i27 = getelementptr inbounds nuw i8, ptr %78, i64 88
  %cmp3.not52.i.i31 = icmp slt i64 %call.i22.i, 1
  br i1 %cmp3.not52.i.i31, label %for.end.i34.sink.split.i, label %for.body.lr.ph.i23.i

for.body.lr.ph.i23.i:                             ; preds = %for.cond.preheader.i.i26
  %arrays.i.i32 = getelementptr inbounds nuw i8, ptr %kernel.060, i64 96
  %int_type.i.i33 = getelementptr inbounds nuw i8, ptr %78, i64 24
  br label %for.body.i24.i

for.cond.i31.i:                                   ; preds = %lor.lhs.false.i30.i
  %inc.i32.i = add nuw nsw i64 %i.053.i.i34, 1
  %81 = load i64, ptr %array_count.i.i, align 8
  %cmp3.not.not.i.i46 = icmp slt i64 %inc.i32.i, %81
  br i1 %cmp3.not.not.i.i46, label %for.body.i24.i, label %land.lhs.true.i

for.body.i24.i:                                   ; preds = %for.cond.i31.i, %for.body.lr.ph.i23.i
  %i.053.i.i34 = phi i64 [ 0, %for.body.lr.ph.i23.i ], [ %inc.i32.i, %for.cond.i31.i ]
  %82 = load ptr, ptr %tuple_item.i.i27, align 8
  %call4.i.i35 = tail call ptr %82(ptr %49, i64 %i.053.i.i34)
  %83 = load ptr, ptr %arrays.i.i32, align 8
  %arrayidx.i25.i = getelementptr inbounds nuw %struct.array, ptr %83, i64 %i.053.i.i34
  %arrayidx.i.i26.i = getelementptr inbounds nuw i8, ptr %call4.i.i35, i64 8
  %84 = load ptr, ptr %arrayidx.i.i26.i, align 8
  %85 = load ptr, ptr %arrayidx.i25.i, align 8
  %cmp6.not.i.i36 = icmp eq ptr %84, %85
  br i1 %cmp6.not.i.i36, label %if.end8.i.i37, label %land.end12.i

if.end8.i.i37:                                    ; preds = %for.body.i24.i
  %86 = load i64, ptr %pending.i.i, align 8
  %add.ptr.i.i27.i = getelementptr inbounds i8, ptr %call4.i.i35, i64 %86
  %87 = load ptr, ptr %add.ptr.i.i27.i, align 8
  %88 = load ptr, ptr %78, align 8
  %cmp10.not.i.i38 = icmp eq ptr %87, %88
  br i1 %cmp10.not.i.i38, label %if.end12.i.i39, label %land.end12.i

if.end12.i.i39:                                   ; preds = %if.end8.i.i37
  %89 = load i64, ptr %layout.i.i, align 8
  %add.ptr.i49.i.i40 = getelementptr inbounds i8, ptr %call4.i.i35, i64 %89
  %90 = load ptr, ptr %add.ptr.i49.i.i40, align 8
  %layout14.i.i41 = getelementptr inbounds nuw i8, ptr %arrayidx.i25.i, i64 8
  %91 = load ptr, ptr %layout14.i.i41, align 8
  %cmp15.not.i.i42 = icmp eq ptr %90, %91
  br i1 %cmp15.not.i.i42, label %if.end17.i28.i, label %land.end12.i

if.end17.i28.i:                                   ; preds = %if.end12.i.i39
  %92 = load i64, ptr %address18.i.i, align 8
  %add.ptr.i50.i.i43 = getelementptr inbounds i8, ptr %call4.i.i35, i64 %92
  %93 = load ptr, ptr %add.ptr.i50.i.i43, align 8
  %tobool.not.i29.i = icmp eq ptr %93, null
  br i1 %tobool.not.i29.i, label %land.end12.i, label %lor.lhs.false.i30.i

lor.lhs.false.i30.i:                              ; preds = %if.end17.i28.i
  %arrayidx.i51.i.i44 = getelementptr inbounds nuw i8, ptr %93, i64 8
  %94 = load ptr, ptr %arrayidx.i51.i.i44, align 8
  %95 = load ptr, ptr %int_type.i.i33, align 8
  %cmp21.not.i.i45 = icmp eq ptr %94, %95
  br i1 %cmp21.not.i.i45, label %for.cond.i31.i, label %land.end12.i

land.lhs.true.i:                                  ; preds = %for.cond.i31.i
  %96 = icmp sgt i64 %81, 0
  %97 = load ptr, ptr %kernel.060, align 8
  %98 = load ptr, ptr %97, align 8
  br i1 %96, label %for.body.lr.ph.i37.i, label %for.end.i34.i

for.body.lr.ph.i37.i:                             ; preds = %land.lhs.true.i
  %tuple_item.i38.i = getelementptr inbounds nuw i8, ptr %98, i64 88
  %as_unsigned.i.i = getelementptr inbounds nuw i8, ptr %98, i64 128
  %error.i.i = getelementptr inbounds nuw i8, ptr %98, i64 152
  br label %for.body.i40.i

for.body.i40.i:                                   ; preds = %if.end.i44.i, %for.body.lr.ph.i37.i
  %i.027.i.i = phi i64 [ 0, %for.body.lr.ph.i37.i ], [ %inc.i46.i, %if.end.i44.i ]
  %99 = load ptr, ptr %tuple_item.i38.i, align 8
  %call.i41.i = tail call ptr %99(ptr %49, i64 %i.027.i.i)
  %100 = load i64, ptr %address18.i.i, align 8
  %add.ptr.i.i42.i = getelementptr inbounds i8, ptr %call.i41.i, i64 %100
  %101 = load ptr, ptr %add.ptr.i.i42.i, align 8
  %102 = load ptr, ptr %as_unsigned.i.i, align 8
  %call4.i43.i = tail call i64 %102(ptr %101)
  %cmp5.i.i = icmp eq i64 %call4.i43.i, -1
  br i1 %cmp5.i.i, label %land.lhs.true.i.i, label %if.end.i44.i

land.lhs.true.i.i:                                ; preds = %for.body.i40.i
  %103 = load ptr, ptr %error.i.i, align 8
  %call6.i.i = tail call ptr %103()
  %tobool.not.i48.i = icmp eq ptr %call6.i.i, null
  br i1 %tobool.not.i48.i, label %if.end.i44.i, label %if.then.i49.i

if.then.i49.i:                                    ; preds = %land.lhs.true.i.i
  %clear_error.i50.i = getelementptr inbounds nuw i8, ptr %98, i64 160
  %104 = load ptr, ptr %clear_error.i50.i, align 8
  tail call void %104()
  br label %land.end12.i

if.end.i44.i:                                     ; preds = %land.lhs.true.i.i, %for.body.i40.i
  %105 = load ptr, ptr %arrays.i.i32, align 8
  %arrayidx.i45.i = getelementptr inbounds nuw %struct.array, ptr %105, i64 %i.027.i.i
  %target.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i45.i, i64 16
  %106 = load ptr, ptr %target.i.i, align 8
  store i64 %call4.i43.i, ptr %106, align 8
  %inc.i46.i = add nuw nsw i64 %i.027.i.i, 1
  %107 = load i64, ptr %array_count.i.i, align 8
  %cmp.not.i47.i = icmp slt i64 %inc.i46.i, %107
  br i1 %cmp.not.i47.i, label %for.body.i40.i, label %for.end.i34.sink.split.i

for.end.i34.sink.split.i:                         ; preds = %if.end.i44.i, %for.cond.preheader.i.i26
  %108 = load ptr, ptr %kernel.060, align 8
  br label %for.end.i34.i

for.end.i34.i:                                    ; preds = %for.end.i34.sink.split.i, %land.lhs.true.i
  %109 = phi ptr [ %97, %land.lhs.true.i ], [ %108, %for.end.i34.sink.split.i ]
  %pair_count.i.i.i = getelementptr inbounds nuw i8, ptr %109, i64 72
  %110 = load i64, ptr %pair_count.i.i.i, align 8
  %cmp15.i.i.i = icmp sgt i64 %110, 0
  br i1 %cmp15.i.i.i, label %for.body.lr.ph.i.i.i, label %land.rhs9.i

for.body.lr.ph.i.i.i:                             ; preds = %for.end.i34.i
  %pairs.i.i.i = getelementptr inbounds nuw i8, ptr %109, i64 80
  %111 = load ptr, ptr %pairs.i.i.i, align 8
  br label %for.body.i.i.i

for.body.i.i.i:                                   ; preds = %if.end.i.i.i, %for.body.lr.ph.i.i.i
  %i.016.i.i.i = phi i64 [ 0, %for.body.lr.ph.i.i.i ], [ %inc.i.i.i, %if.end.i.i.i ]
  %arrayidx.i.i36.i = getelementptr inbounds nuw %struct.pair, ptr %111, i64 %i.016.i.i.i
  %second.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i36.i, i64 8
  %112 = load ptr, ptr %second.i.i.i, align 8
  %113 = load i64, ptr %112, align 8
  %114 = load ptr, ptr %arrayidx.i.i36.i, align 8
  %115 = load i64, ptr %114, align 8
  %sub.i.i.i = sub i64 %113, %115
  %least.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i36.i, i64 16
  %116 = load i64, ptr %least.i.i.i, align 8
  %cmp1.i.i.i = icmp slt i64 %116, %sub.i.i.i
  br i1 %cmp1.i.i.i, label %land.lhs.true.i.i.i, label %if.end.i.i.i

land.lhs.true.i.i.i:                              ; preds = %for.body.i.i.i
  %greatest.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i36.i, i64 24
  %117 = load i64, ptr %greatest.i.i.i, align 8
  %cmp2.i.i.i = icmp slt i64 %sub.i.i.i, %117
  br i1 %cmp2.i.i.i, label %land.end12.i, label %if.end.i.i.i

if.end.i.i.i:                                     ; preds = %land.lhs.true.i.i.i, %for.body.i.i.i
  %inc.i.i.i = add nuw nsw i64 %i.016.i.i.i, 1
  %exitcond.not.i.i.i = icmp eq i64 %inc.i.i.i, %110
  br i1 %exitcond.not.i.i.i, label %land.rhs9.i, label %for.body.i.i.i

land.rhs9.i:                                      ; preds = %if.end.i.i.i, %for.end.i34.i
  %call10.i = tail call fastcc i32 @join_batch(ptr %50)
  br label %land.end12.i

land.end12.i:                                     ; preds = %for.body.i.i48, %lor.lhs.false.i30.i, %if.end17.i28.i, %if.end12.i.i39, %if.end8.i.i37, %for.body.i24.i, %land.lhs.true.i.i.i, %land.rhs9.i, %if.then.i49.i, %land.rhs.i, %is_open.exit.i, %lor.lhs.false14.i.i, %if.end10.i.i, %lor.lhs.false6.i.i, %lor.lhs.false.i.i18, %for.end.i.i
  %land.ext13.i = phi i32 [ 0, %lor.lhs.false.i30.i ], [ 0, %land.lhs.true.i.i.i ], [ %call10.i, %land.rhs9.i ], [ 0, %is_open.exit.i ], [ 0, %if.end10.i.i ], [ 0, %for.end.i.i ], [ 0, %lor.lhs.false6.i.i ], [ 0, %lor.lhs.false.i.i18 ], [ 0, %lor.lhs.false14.i.i ], [ 0, %land.rhs.i ], [ 0, %if.then.i49.i ], [ 0, %for.body.i24.i ], [ 0, %if.end8.i.i37 ], [ 0, %if.end12.i.i39 ], [ 0, %if.end17.i28.i ], [ 0, %for.body.i.i48 ]
  %118 = load ptr, ptr %50, align 8
  %call.i51.i = getelementptr inbounds nuw i8, ptr %118, i64 168
  %119 = load ptr, ptr %call.i51.i, align 8
  %120 = load ptr, ptr %stream.i.i, align 8
  %release.i53.i = getelementptr inbounds nuw i8, ptr %120, i64 64
  %121 = load ptr, ptr %release.i53.i, align 8
  %call1.i.i = tail call ptr %119(ptr %121, ptr null, i64 0, ptr null)
  %tobool.not.i54.i = icmp eq ptr %call1.i.i, null
  %122 = load ptr, ptr %50, align 8
  br i1 %tobool.not.i54.i, label %if.else.i.i, label %if.then.i55.i

if.then.i55.i:                                    ; preds = %land.end12.i
  %release3.i.i = getelementptr inbounds nuw i8, ptr %122, i64 184
  %123 = load ptr, ptr %release3.i.i, align 8
  tail call void %123(ptr %call1.i.i)
  br label %launch_arrays.exit

if.else.i.i:                                      ; preds = %land.end12.i
  %clear_error.i57.i = getelementptr inbounds nuw i8, ptr %122, i64 160
  %124 = load ptr, ptr %clear_error.i57.i, align 8
  tail call void %124()
  br label %launch_arrays.exit

launch_arrays.exit:                               ; preds = %take_lock.exit.thread.i, %take_lock.exit.i, %if.then.i55.i, %if.else.i.i
  %retval.0.i20 = phi i32 [ 0, %take_lock.exit.thread.i ], [ 0, %take_lock.exit.i ], [ %land.ext13.i, %if.then.i55.i ], [ %land.ext13.i, %if.else.i.i ]
  %125 = zext nneg i32 %retval.0.i20 to i64
  br label %if.end7

for.inc:                                          ; preds = %if.end17.i.i, %lor.lhs.false.i79.i, %if.end8.i.i, %for.body.i.i, %if.end12.i.i, %if.end15.i, %lor.lhs.false.i68.i, %lor.lhs.false.i.i, %if.end.i.i, %is_size.exit76.i, %lor.lhs.false.i, %lor.lhs.false5.i, %is_size.exit.i, %if.end.i63.i, %if.end20.i, %if.end24.i, %if.end28.i, %for.body, %is_asked_for.exit
  %next = getelementptr inbounds nuw i8, ptr %kernel.060, i64 8
  %126 = load ptr, ptr %next, align 8
  %tobool.not = icmp eq ptr %126, null
  br i1 %tobool.not, label %if.end7, label %for.body

if.end7:                                          ; preds = %for.inc, %launch_arrays.exit, %entry
  %done.0 = phi i64 [ %125, %launch_arrays.exit ], [ 0, %entry ], [ 0, %for.inc ]
  %bool_of = getelementptr inbounds nuw i8, ptr %2, i64 192
  %127 = load ptr, ptr %bool_of, align 8
  %call8 = tail call ptr %127(i64 %done.0)
  ret ptr %call8
}

define internal fastcc range(i32 0, 2) i32 @join_batch(ptr %launch) unnamed_addr {
entry:
  %0 = load ptr, ptr %launch, align 8
  %stream = getelementptr inbounds nuw i8, ptr %launch, i64 8
  %1 = load ptr, ptr %stream, align 8
  %2 = load ptr, ptr %1, align 8
  %3 = load ptr, ptr %2, align 8
  %labels3 = getelementptr inbounds nuw i8, ptr %1, i64 40
  %4 = load i64, ptr %labels3, align 8
  %add.ptr.i = getelementptr inbounds i8, ptr %3, i64 %4
  %5 = load ptr, ptr %add.ptr.i, align 8
  %tobool.not = icmp eq ptr %5, null
  br i1 %tobool.not, label %cleanup33, label %lor.lhs.false

lor.lhs.false:                                    ; preds = %entry
  %arrayidx.i = getelementptr inbounds nuw i8, ptr %5, i64 8
  %6 = load ptr, ptr %arrayidx.i, align 8
  %list_type = getelementptr inbounds nuw i8, ptr %0, i64 40
  %7 = load ptr, ptr %list_type, align 8
  %cmp.not = icmp eq ptr %6, %7
  br i1 %cmp.not, label %if.end, label %cleanup33

if.end:                                           ; preds = %lor.lhs.false
  %limits.i = getelementptr inbounds nuw i8, ptr %1, i64 16
  %8 = load ptr, ptr %limits.i, align 8
  %9 = load ptr, ptr %8, align 8
  %launches.i = getelementptr inbounds nuw i8, ptr %1, i64 48
  %10 = load i64, ptr %launches.i, align 8
  %add.ptr.i.i = getelementptr inbounds i8, ptr %9, i64 %10
  %11 = load ptr, ptr %add.ptr.i.i, align 8
  %tobool.not.i = icmp eq ptr %11, null
  br i1 %tobool.not.i, label %cleanup33, label %lor.lhs.false.i

lor.lhs.false.i:                                  ; preds = %if.end
  %arrayidx.i.i = getelementptr inbounds nuw i8, ptr %11, i64 8
  %12 = load ptr, ptr %arrayidx.i.i, align 8
  %int_type.i = getelementptr inbounds nuw i8, ptr %0, i64 24
  %13 = load ptr, ptr %int_type.i, align 8
  %cmp.not.i = icmp eq ptr %12, %13
  br i1 %cmp.not.i, label %if.end.i, label %cleanup33

if.end.i:                                         ; preds = %lor.lhs.false.i
  %as_signed.i = getelementptr inbounds nuw i8, ptr %0, i64 136
  %14 = load ptr, ptr %as_signed.i, align 8
  %call2.i = tail call i64 %14(ptr %11)
  %cmp3.i = icmp eq i64 %call2.i, -1
  br i1 %cmp3.i, label %land.lhs.true.i, label %room_in.exit

land.lhs.true.i:                                  ; preds = %if.end.i
  %error.i = getelementptr inbounds nuw i8, ptr %0, i64 152
  %15 = load ptr, ptr %error.i, align 8
  %call4.i = tail call ptr %15()
  %tobool5.not.i = icmp eq ptr %call4.i, null
  br i1 %tobool5.not.i, label %room_in.exit, label %if.then6.i

if.then6.i:                                       ; preds = %land.lhs.true.i
  %clear_error.i = getelementptr inbounds nuw i8, ptr %0, i64 160
  %16 = load ptr, ptr %clear_error.i, align 8
  tail call void %16()
  br label %room_in.exit

room_in.exit:                                     ; preds = %if.end.i, %land.lhs.true.i, %if.then6.i
  %list_size.i = getelementptr inbounds nuw i8, ptr %0, i64 96
  %17 = load ptr, ptr %list_size.i, align 8
  %call8.i = tail call i64 %17(ptr %5)
  %sub.i = sub nsw i64 %call2.i, %call8.i
  %cmp7 = icmp slt i64 %sub.i, 2
  br i1 %cmp7, label %cleanup33, label %if.end9

if.end9:                                          ; preds = %room_in.exit
  %list_append = getelementptr inbounds nuw i8, ptr %0, i64 112
  %18 = load ptr, ptr %list_append, align 8
  %label = getelementptr inbounds nuw i8, ptr %launch, i64 16
  %19 = load ptr, ptr %label, align 8
  %call10 = tail call i32 %18(ptr %5, ptr %19)
  %tobool11.not = icmp eq i32 %call10, 0
  br i1 %tobool11.not, label %if.end13, label %cleanup33.sink.split

if.end13:                                         ; preds = %if.end9
  %20 = load ptr, ptr %stream, align 8
  %busy15 = getelementptr inbounds nuw i8, ptr %20, i64 24
  %21 = load ptr, ptr %busy15, align 8
  %22 = load ptr, ptr %21, align 8
  %retain = getelementptr inbounds nuw i8, ptr %0, i64 176
  %23 = load ptr, ptr %retain, align 8
  %yes = getelementptr inbounds nuw i8, ptr %0, i64 16
  %24 = load ptr, ptr %yes, align 8
  tail call void %23(ptr %24)
  %25 = load ptr, ptr %yes, align 8
  store ptr %25, ptr %21, align 8
  %let_others_run = getelementptr inbounds nuw i8, ptr %0, i64 200
  %26 = load ptr, ptr %let_others_run, align 8
  %call17 = tail call ptr %26()
  %driver = getelementptr inbounds nuw i8, ptr %launch, i64 24
  %27 = load ptr, ptr %driver, align 8
  %given = getelementptr inbounds nuw i8, ptr %launch, i64 32
  %28 = load ptr, ptr %given, align 8
  %entry18 = getelementptr inbounds nuw i8, ptr %launch, i64 40
  %29 = load ptr, ptr %entry18, align 8
  %parameters = getelementptr inbounds nuw i8, ptr %launch, i64 48
  %30 = load ptr, ptr %parameters, align 8
  %call19 = tail call i32 %27(ptr %28, ptr %29, ptr %30, ptr null)
  %run_again = getelementptr inbounds nuw i8, ptr %0, i64 208
  %31 = load ptr, ptr %run_again, align 8
  tail call void %31(ptr %call17)
  store ptr %22, ptr %21, align 8
  %release = getelementptr inbounds nuw i8, ptr %0, i64 184
  %32 = load ptr, ptr %release, align 8
  %33 = load ptr, ptr %yes, align 8
  tail call void %32(ptr %33)
  %tobool21.not = icmp eq i32 %call19, 0
  br i1 %tobool21.not, label %cleanup33, label %if.end23

if.end23:                                         ; preds = %if.end13
  %34 = load ptr, ptr %list_size.i, align 8
  %call24 = tail call i64 %34(ptr %5)
  %list_set_slice = getelementptr inbounds nuw i8, ptr %0, i64 120
  %35 = load ptr, ptr %list_set_slice, align 8
  %sub = add nsw i64 %call24, -1
  %call25 = tail call i32 %35(ptr %5, i64 %sub, i64 %call24, ptr null)
  %tobool26.not = icmp eq i32 %call25, 0
  br i1 %tobool26.not, label %cleanup33, label %cleanup33.sink.split

cleanup33.sink.split:                             ; preds = %if.end23, %if.end9
  %clear_error28 = getelementptr inbounds nuw i8, ptr %0, i64 160
  %36 = load ptr, ptr %clear_error28, align 8
  tail call void %36()
  br label %cleanup33

cleanup33:                                        ; preds = %cleanup33.sink.split, %if.end, %lor.lhs.false.i, %if.end13, %if.end23, %room_in.exit, %entry, %lor.lhs.false
  %retval.1 = phi i32 [ 0, %room_in.exit ], [ 0, %entry ], [ 0, %lor.lhs.false.i ], [ 0, %lor.lhs.false ], [ 1, %if.end13 ], [ 0, %if.end ], [ 0, %if.end23 ], [ 0, %cleanup33.sink.split ]
  ret i32 %retval.1
}

define internal fastcc range(i32 0, 2) i32 @are_facts(ptr %api, i64 %count, ptr %facts) unnamed_addr {
entry:
  %cmp6 = icmp sgt i64 %count, 0
  br i1 %cmp6, label %for.body.lr.ph, label %cleanup

for.body.lr.ph:                                   ; preds = %entry
  %get_attribute.i = getelementptr inbounds nuw i8, ptr %api, i64 48
  %release.i = getelementptr inbounds nuw i8, ptr %api, i64 184
  br label %for.body

for.cond:                                         ; preds = %is_fact.exit
  %inc = add nuw nsw i64 %i.07, 1
  %exitcond.not = icmp eq i64 %inc, %count
  br i1 %exitcond.not, label %cleanup, label %for.body

for.body:                                         ; preds = %for.body.lr.ph, %for.cond
  %i.07 = phi i64 [ 0, %for.body.lr.ph ], [ %inc, %for.cond ]
  %arrayidx = getelementptr inbounds nuw %struct.fact, ptr %facts, i64 %i.07
  %0 = load ptr, ptr %get_attribute.i, align 8
  %1 = load ptr, ptr %arrayidx, align 8
  %name.i = getelementptr inbounds nuw i8, ptr %arrayidx, i64 8
  %2 = load ptr, ptr %name.i, align 8
  %call.i = tail call ptr %0(ptr %1, ptr %2)
  %tobool.not.i = icmp eq ptr %call.i, null
  br i1 %tobool.not.i, label %is_fact.exit.thread, label %is_fact.exit

is_fact.exit.thread:                              ; preds = %for.body
  %clear_error.i = getelementptr inbounds nuw i8, ptr %api, i64 160
  %3 = load ptr, ptr %clear_error.i, align 8
  tail call void %3()
  br label %cleanup

is_fact.exit:                                     ; preds = %for.body
  %value.i = getelementptr inbounds nuw i8, ptr %arrayidx, i64 16
  %4 = load ptr, ptr %value.i, align 8
  %cmp.i.not = icmp eq ptr %call.i, %4
  %5 = load ptr, ptr %release.i, align 8
  tail call void %5(ptr %call.i)
  br i1 %cmp.i.not, label %for.cond, label %cleanup

cleanup:                                          ; preds = %for.cond, %is_fact.exit, %entry, %is_fact.exit.thread
  %6 = phi i32 [ 0, %is_fact.exit.thread ], [ 1, %entry ], [ 1, %for.cond ], [ 0, %is_fact.exit ]
  ret i32 %6
}

define internal fastcc range(i32 0, 2) i32 @are_variables(ptr %api, i64 %count, ptr %facts) unnamed_addr {
entry:
  %found = alloca ptr, align 8
  %cmp20 = icmp sgt i64 %count, 0
  br i1 %cmp20, label %for.body.lr.ph, label %cleanup10

for.body.lr.ph:                                   ; preds = %entry
  %get_variable = getelementptr inbounds nuw i8, ptr %api, i64 64
  %release = getelementptr inbounds nuw i8, ptr %api, i64 184
  br label %for.body

for.cond:                                         ; preds = %cleanup9
  %inc = add nuw nsw i64 %i.021, 1
  %exitcond.not = icmp eq i64 %inc, %count
  br i1 %exitcond.not, label %cleanup10, label %for.body

for.body:                                         ; preds = %for.body.lr.ph, %for.cond
  %i.021 = phi i64 [ 0, %for.body.lr.ph ], [ %inc, %for.cond ]
  call void @llvm.lifetime.start.p0(ptr %found)
  store ptr null, ptr %found, align 8
  %0 = load ptr, ptr %get_variable, align 8
  %arrayidx = getelementptr inbounds nuw %struct.fact, ptr %facts, i64 %i.021
  %1 = load ptr, ptr %arrayidx, align 8
  %call = call i32 %0(ptr %1, ptr null, ptr %found)
  %tobool.not = icmp eq i32 %call, 0
  br i1 %tobool.not, label %if.end, label %if.then

if.then:                                          ; preds = %for.body
  %clear_error = getelementptr inbounds nuw i8, ptr %api, i64 160
  %2 = load ptr, ptr %clear_error, align 8
  call void %2()
  call void @llvm.lifetime.end.p0(ptr %found)
  br label %cleanup10

if.end:                                           ; preds = %for.body
  %3 = load ptr, ptr %found, align 8
  %value = getelementptr inbounds nuw i8, ptr %arrayidx, i64 16
  %4 = load ptr, ptr %value, align 8
  %cmp2 = icmp eq ptr %3, %4
  %tobool3.not = icmp eq ptr %3, null
  br i1 %tobool3.not, label %cleanup9, label %if.then4

if.then4:                                         ; preds = %if.end
  %5 = load ptr, ptr %release, align 8
  call void %5(ptr %3)
  br label %cleanup9

cleanup9:                                         ; preds = %if.then4, %if.end
  call void @llvm.lifetime.end.p0(ptr %found)
  br i1 %cmp2, label %for.cond, label %cleanup10

cleanup10:                                        ; preds = %for.cond, %cleanup9, %entry, %if.then
  %6 = phi i32 [ 0, %if.then ], [ 1, %entry ], [ 1, %for.cond ], [ 0, %cleanup9 ]
  ret i32 %6
}

define internal fastcc range(i32 0, 2) i32 @are_names(ptr %api, i64 %count, ptr %facts) unnamed_addr {
entry:
  %cmp16 = icmp sgt i64 %count, 0
  br i1 %cmp16, label %for.body.lr.ph, label %cleanup

for.body.lr.ph:                                   ; preds = %entry
  %get_item = getelementptr inbounds nuw i8, ptr %api, i64 56
  br label %for.body

for.cond:                                         ; preds = %for.body
  %inc = add nuw nsw i64 %i.017, 1
  %exitcond.not = icmp eq i64 %inc, %count
  br i1 %exitcond.not, label %cleanup, label %for.body

for.body:                                         ; preds = %for.body.lr.ph, %for.cond
  %i.017 = phi i64 [ 0, %for.body.lr.ph ], [ %inc, %for.cond ]
  %0 = load ptr, ptr %get_item, align 8
  %arrayidx = getelementptr inbounds nuw %struct.fact, ptr %facts, i64 %i.017
  %1 = load ptr, ptr %arrayidx, align 8
  %name = getelementptr inbounds nuw i8, ptr %arrayidx, i64 8
  %2 = load ptr, ptr %name, align 8
  %call = tail call ptr %0(ptr %1, ptr %2)
  %value = getelementptr inbounds nuw i8, ptr %arrayidx, i64 16
  %3 = load ptr, ptr %value, align 8
  %cmp3.not = icmp eq ptr %call, %3
  br i1 %cmp3.not, label %for.cond, label %if.then

if.then:                                          ; preds = %for.body
  %error = getelementptr inbounds nuw i8, ptr %api, i64 152
  %4 = load ptr, ptr %error, align 8
  %call4 = tail call ptr %4()
  %tobool.not = icmp eq ptr %call4, null
  br i1 %tobool.not, label %cleanup, label %if.then5

if.then5:                                         ; preds = %if.then
  %clear_error = getelementptr inbounds nuw i8, ptr %api, i64 160
  %5 = load ptr, ptr %clear_error, align 8
  tail call void %5()
  br label %cleanup

cleanup:                                          ; preds = %for.cond, %entry, %if.then, %if.then5
  %6 = phi i32 [ 0, %if.then ], [ 0, %if.then5 ], [ 1, %entry ], [ 1, %for.cond ]
  ret i32 %6
}
