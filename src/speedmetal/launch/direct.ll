; 4f36b9bf1fb0d86a0175: of direct.c, by tools/build_direct.py
%struct.slot = type { ptr, ptr }
%struct.number = type { i64, i64, i64, ptr }
%struct.pair = type { ptr, ptr, i64, i64 }
%struct.argument = type { ptr, ptr, %struct.number }
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
  %call.i.i = getelementptr inbounds nuw i8, ptr %2, i64 176
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
  %clear_error.i.i = getelementptr inbounds nuw i8, ptr %2, i64 168
  %7 = load ptr, ptr %clear_error.i.i, align 8
  tail call void %7()
  %.pre = load ptr, ptr %0, align 8
  br label %if.then

take_lock.exit.i:                                 ; preds = %lor.lhs.false.i
  %8 = load ptr, ptr %no.i.i, align 8
  %cmp.i.not.i = icmp eq ptr %call2.i.i, %8
  %release.i.i = getelementptr inbounds nuw i8, ptr %2, i64 192
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
  %list_size.i.i = getelementptr inbounds nuw i8, ptr %.pre17, i64 104
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
  %cmp.not36.i.i = icmp sgt i64 %29, 0
  br i1 %cmp.not36.i.i, label %for.body.lr.ph.i25.i, label %for.end.i22.i

for.body.lr.ph.i25.i:                             ; preds = %land.rhs.i
  %numbers.i.i = getelementptr inbounds nuw i8, ptr %0, i64 64
  %list_size.i26.i = getelementptr inbounds nuw i8, ptr %28, i64 104
  %list_item.i.i = getelementptr inbounds nuw i8, ptr %28, i64 112
  br label %for.body.i27.i

for.cond.i33.i:                                   ; preds = %lor.lhs.false.i30.i
  %inc.i34.i = add nuw nsw i64 %i.037.i.i, 1
  %30 = load i64, ptr %number_count.i.i, align 8
  %cmp.not.i.i = icmp slt i64 %inc.i34.i, %30
  br i1 %cmp.not.i.i, label %for.body.i27.i, label %for.end.i22.i

for.body.i27.i:                                   ; preds = %for.cond.i33.i, %for.body.lr.ph.i25.i
  %i.037.i.i = phi i64 [ 0, %for.body.lr.ph.i25.i ], [ %inc.i34.i, %for.cond.i33.i ]
  %31 = load ptr, ptr %numbers.i.i, align 8
  %arrayidx.i28.i = getelementptr inbounds nuw %struct.number, ptr %31, i64 %i.037.i.i
  %32 = load i64, ptr %arrayidx.i28.i, align 8
  %cmp3.i.i = icmp slt i64 %32, 0
  br i1 %cmp3.i.i, label %cond.true.i.i, label %cond.end.i.i

cond.true.i.i:                                    ; preds = %for.body.i27.i
  %33 = load ptr, ptr %list_size.i26.i, align 8
  %call.i37.i = tail call i64 %33(ptr %values)
  %add.i.i = add nsw i64 %call.i37.i, %32
  br label %cond.end.i.i

cond.end.i.i:                                     ; preds = %cond.true.i.i, %for.body.i27.i
  %cond.i.i = phi i64 [ %add.i.i, %cond.true.i.i ], [ %32, %for.body.i27.i ]
  %34 = load ptr, ptr %list_item.i.i, align 8
  %call6.i.i = tail call ptr %34(ptr %values, i64 %cond.i.i)
  %tobool.not.i29.i = icmp eq ptr %call6.i.i, null
  br i1 %tobool.not.i29.i, label %if.then.i35.i, label %lor.lhs.false.i30.i

lor.lhs.false.i30.i:                              ; preds = %cond.end.i.i
  %call7.i31.i = tail call fastcc i32 @pack(ptr %28, ptr %arrayidx.i28.i, ptr %call6.i.i)
  %tobool8.not.i32.i = icmp eq i32 %call7.i31.i, 0
  br i1 %tobool8.not.i32.i, label %if.then.i35.i, label %for.cond.i33.i

if.then.i35.i:                                    ; preds = %lor.lhs.false.i30.i, %cond.end.i.i
  %error.i.i = getelementptr inbounds nuw i8, ptr %28, i64 160
  %35 = load ptr, ptr %error.i.i, align 8
  %call9.i.i = tail call ptr %35()
  %tobool10.not.i.i = icmp eq ptr %call9.i.i, null
  br i1 %tobool10.not.i.i, label %land.end11.i, label %if.then11.i.i

if.then11.i.i:                                    ; preds = %if.then.i35.i
  %clear_error.i36.i = getelementptr inbounds nuw i8, ptr %28, i64 168
  %36 = load ptr, ptr %clear_error.i36.i, align 8
  tail call void %36()
  br label %land.end11.i

for.end.i22.i:                                    ; preds = %for.cond.i33.i, %land.rhs.i
  %pair_count.i.i.i = getelementptr inbounds nuw i8, ptr %0, i64 72
  %37 = load i64, ptr %pair_count.i.i.i, align 8
  %cmp15.i.i.i = icmp sgt i64 %37, 0
  br i1 %cmp15.i.i.i, label %for.body.lr.ph.i.i.i, label %land.rhs8.i

for.body.lr.ph.i.i.i:                             ; preds = %for.end.i22.i
  %pairs.i.i.i = getelementptr inbounds nuw i8, ptr %0, i64 80
  %38 = load ptr, ptr %pairs.i.i.i, align 8
  br label %for.body.i.i.i

for.body.i.i.i:                                   ; preds = %if.end.i.i.i, %for.body.lr.ph.i.i.i
  %i.016.i.i.i = phi i64 [ 0, %for.body.lr.ph.i.i.i ], [ %inc.i.i.i, %if.end.i.i.i ]
  %arrayidx.i.i24.i = getelementptr inbounds nuw %struct.pair, ptr %38, i64 %i.016.i.i.i
  %second.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 8
  %39 = load ptr, ptr %second.i.i.i, align 8
  %40 = load i64, ptr %39, align 8
  %41 = load ptr, ptr %arrayidx.i.i24.i, align 8
  %42 = load i64, ptr %41, align 8
  %sub.i.i.i = sub i64 %40, %42
  %least.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 16
  %43 = load i64, ptr %least.i.i.i, align 8
  %cmp1.i.i.i = icmp slt i64 %43, %sub.i.i.i
  br i1 %cmp1.i.i.i, label %land.lhs.true.i.i.i, label %if.end.i.i.i

land.lhs.true.i.i.i:                              ; preds = %for.body.i.i.i
  %greatest.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i24.i, i64 24
  %44 = load i64, ptr %greatest.i.i.i, align 8
  %cmp2.i.i.i = icmp slt i64 %sub.i.i.i, %44
  br i1 %cmp2.i.i.i, label %land.end11.i, label %if.end.i.i.i

if.end.i.i.i:                                     ; preds = %land.lhs.true.i.i.i, %for.body.i.i.i
  %inc.i.i.i = add nuw nsw i64 %i.016.i.i.i, 1
  %exitcond.not.i.i.i = icmp eq i64 %inc.i.i.i, %37
  br i1 %exitcond.not.i.i.i, label %land.rhs8.i, label %for.body.i.i.i

land.rhs8.i:                                      ; preds = %if.end.i.i.i, %for.end.i22.i
  %call9.i = tail call fastcc i32 @join_batch(ptr %0)
  %45 = icmp eq i32 %call9.i, 0
  br label %land.end11.i

land.end11.i:                                     ; preds = %for.body.i.i, %land.lhs.true.i.i.i, %land.rhs8.i, %if.then11.i.i, %if.then.i35.i, %is_open.exit.i, %lor.lhs.false14.i.i, %if.end10.i.i, %lor.lhs.false6.i.i, %lor.lhs.false.i.i, %for.end.i.i
  %land.ext12.i = phi i1 [ true, %land.lhs.true.i.i.i ], [ %45, %land.rhs8.i ], [ true, %is_open.exit.i ], [ true, %if.end10.i.i ], [ true, %for.end.i.i ], [ true, %lor.lhs.false6.i.i ], [ true, %lor.lhs.false.i.i ], [ true, %lor.lhs.false14.i.i ], [ true, %if.then11.i.i ], [ true, %if.then.i35.i ], [ true, %for.body.i.i ]
  %46 = load ptr, ptr %0, align 8
  %call.i38.i = getelementptr inbounds nuw i8, ptr %46, i64 176
  %47 = load ptr, ptr %call.i38.i, align 8
  %48 = load ptr, ptr %stream.i.i, align 8
  %release.i40.i = getelementptr inbounds nuw i8, ptr %48, i64 64
  %49 = load ptr, ptr %release.i40.i, align 8
  %call1.i.i = tail call ptr %47(ptr %49, ptr null, i64 0, ptr null)
  %tobool.not.i41.i = icmp eq ptr %call1.i.i, null
  %50 = load ptr, ptr %0, align 8
  br i1 %tobool.not.i41.i, label %if.else.i.i, label %if.then.i42.i

if.then.i42.i:                                    ; preds = %land.end11.i
  %release3.i.i = getelementptr inbounds nuw i8, ptr %50, i64 192
  %51 = load ptr, ptr %release3.i.i, align 8
  tail call void %51(ptr %call1.i.i)
  br label %launch_values.exit

if.else.i.i:                                      ; preds = %land.end11.i
  %clear_error.i44.i = getelementptr inbounds nuw i8, ptr %50, i64 168
  %52 = load ptr, ptr %clear_error.i44.i, align 8
  tail call void %52()
  br label %launch_values.exit

launch_values.exit:                               ; preds = %if.then.i42.i, %if.else.i.i
  %.pre18 = load ptr, ptr %0, align 8
  br i1 %land.ext12.i, label %if.then, label %if.end

if.then:                                          ; preds = %entry, %take_lock.exit.i, %take_lock.exit.thread.i, %launch_values.exit
  %53 = phi ptr [ %2, %entry ], [ %.pre17, %take_lock.exit.i ], [ %.pre, %take_lock.exit.thread.i ], [ %.pre18, %launch_values.exit ]
  %call2 = getelementptr inbounds nuw i8, ptr %53, i64 176
  %54 = load ptr, ptr %call2, align 8
  %slow = getelementptr inbounds nuw i8, ptr %0, i64 88
  %55 = load ptr, ptr %slow, align 8
  %call3 = call ptr %54(ptr %55, ptr %values.addr, i64 1, ptr null)
  br label %cleanup

if.end:                                           ; preds = %launch_values.exit
  %retain = getelementptr inbounds nuw i8, ptr %.pre18, i64 184
  %56 = load ptr, ptr %retain, align 8
  %57 = load ptr, ptr %.pre18, align 8
  tail call void %56(ptr %57)
  %58 = load ptr, ptr %0, align 8
  %59 = load ptr, ptr %58, align 8
  br label %cleanup

cleanup:                                          ; preds = %if.end, %if.then
  %retval.0 = phi ptr [ %59, %if.end ], [ %call3, %if.then ]
  ret ptr %retval.0
}

declare void @llvm.lifetime.start.p0(ptr)

declare void @llvm.lifetime.end.p0(ptr)

define ptr @sm_launch(ptr %self, ptr %given, i64 %count) {
entry:
  %found.i = alloca ptr, align 8
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
  %kernel.077 = phi ptr [ %0, %for.cond.preheader ], [ %125, %for.inc ]
  %3 = load ptr, ptr %kernel.077, align 8
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
  %grid.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 16
  %10 = load ptr, ptr %grid.i, align 8
  %call.i = call fastcc i32 @is_size(ptr %4, ptr %9, ptr %10)
  %tobool.not.i = icmp eq i32 %call.i, 0
  br i1 %tobool.not.i, label %for.inc, label %lor.lhs.false10.i

lor.lhs.false10.i:                                ; preds = %if.end.i
  %11 = load ptr, ptr %arrayidx11.i, align 8
  %threads.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 24
  %12 = load ptr, ptr %threads.i, align 8
  %call12.i = call fastcc i32 @is_size(ptr %4, ptr %11, ptr %12)
  %tobool13.not.i = icmp eq i32 %call12.i, 0
  br i1 %tobool13.not.i, label %for.inc, label %if.end15.i

if.end15.i:                                       ; preds = %lor.lhs.false10.i
  %13 = load ptr, ptr %given, align 8
  %14 = load ptr, ptr %kernel.077, align 8
  %15 = load ptr, ptr %14, align 8
  %tuple_size.i.i = getelementptr inbounds nuw i8, ptr %15, i64 88
  %16 = load ptr, ptr %tuple_size.i.i, align 8
  %call.i.i = call i64 %16(ptr %13)
  %argument_count.i.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 88
  %17 = load i64, ptr %argument_count.i.i, align 8
  %cmp.not.i.i = icmp eq i64 %call.i.i, %17
  br i1 %cmp.not.i.i, label %for.cond.preheader.i.i, label %for.inc

for.cond.preheader.i.i:                           ; preds = %if.end15.i
  %tuple_item.i.i = getelementptr inbounds nuw i8, ptr %15, i64 96
  %pending.i.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 104
  %layout16.i.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 112
  %address.i.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 120
  %cmp3.not51.i.i = icmp slt i64 %call.i.i, 1
  br i1 %cmp3.not51.i.i, label %if.end20.i, label %for.body.lr.ph.i.i

for.body.lr.ph.i.i:                               ; preds = %for.cond.preheader.i.i
  %arguments5.i.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 96
  br label %for.body.i.i

for.body.i.i:                                     ; preds = %for.inc.i.i, %for.body.lr.ph.i.i
  %i.052.i.i = phi i64 [ 0, %for.body.lr.ph.i.i ], [ %inc.i.i, %for.inc.i.i ]
  %18 = load ptr, ptr %tuple_item.i.i, align 8
  %call4.i.i = call ptr %18(ptr %13, i64 %i.052.i.i)
  %19 = load ptr, ptr %arguments5.i.i, align 8
  %arrayidx.i.i = getelementptr inbounds nuw %struct.argument, ptr %19, i64 %i.052.i.i
  %arrayidx.i.i.i = getelementptr inbounds nuw i8, ptr %call4.i.i, i64 8
  %20 = load ptr, ptr %arrayidx.i.i.i, align 8
  %21 = load ptr, ptr %arrayidx.i.i, align 8
  %cmp7.not.i.i = icmp eq ptr %20, %21
  br i1 %cmp7.not.i.i, label %if.end9.i.i, label %for.inc

if.end9.i.i:                                      ; preds = %for.body.i.i
  %layout.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i, i64 8
  %22 = load ptr, ptr %layout.i.i, align 8
  %tobool.not.i.i = icmp eq ptr %22, null
  br i1 %tobool.not.i.i, label %for.inc.i.i, label %if.end11.i.i

if.end11.i.i:                                     ; preds = %if.end9.i.i
  %23 = load i64, ptr %pending.i.i, align 8
  %add.ptr.i.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %23
  %24 = load ptr, ptr %add.ptr.i.i.i, align 8
  %25 = load ptr, ptr %15, align 8
  %cmp13.not.i.i = icmp eq ptr %24, %25
  br i1 %cmp13.not.i.i, label %if.end15.i.i, label %for.inc

if.end15.i.i:                                     ; preds = %if.end11.i.i
  %26 = load i64, ptr %layout16.i.i, align 8
  %add.ptr.i48.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %26
  %27 = load ptr, ptr %add.ptr.i48.i.i, align 8
  %cmp19.not.i.i = icmp eq ptr %27, %22
  br i1 %cmp19.not.i.i, label %if.end21.i.i, label %for.inc

if.end21.i.i:                                     ; preds = %if.end15.i.i
  %28 = load i64, ptr %address.i.i, align 8
  %add.ptr.i49.i.i = getelementptr inbounds i8, ptr %call4.i.i, i64 %28
  %29 = load ptr, ptr %add.ptr.i49.i.i, align 8
  %tobool23.not.i.i = icmp eq ptr %29, null
  br i1 %tobool23.not.i.i, label %for.inc, label %for.inc.i.i

for.inc.i.i:                                      ; preds = %if.end21.i.i, %if.end9.i.i
  %inc.i.i = add nuw nsw i64 %i.052.i.i, 1
  %30 = load i64, ptr %argument_count.i.i, align 8
  %cmp3.not.not.i.i = icmp slt i64 %inc.i.i, %30
  br i1 %cmp3.not.not.i.i, label %for.body.i.i, label %if.end20.i

if.end20.i:                                       ; preds = %for.inc.i.i, %for.cond.preheader.i.i
  %variable_count.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 40
  %31 = load i64, ptr %variable_count.i, align 8
  %variables.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 48
  %32 = load ptr, ptr %variables.i, align 8
  %cmp20.i = icmp sgt i64 %31, 0
  br i1 %cmp20.i, label %for.body.lr.ph.i53, label %if.end24.i

for.body.lr.ph.i53:                               ; preds = %if.end20.i
  %get_variable.i = getelementptr inbounds nuw i8, ptr %4, i64 72
  %release.i = getelementptr inbounds nuw i8, ptr %4, i64 192
  br label %for.body.i54

for.cond.i63:                                     ; preds = %cleanup9.i
  %inc.i64 = add nuw nsw i64 %i.021.i, 1
  %exitcond.not.i65 = icmp eq i64 %inc.i64, %31
  br i1 %exitcond.not.i65, label %if.end24.i, label %for.body.i54

for.body.i54:                                     ; preds = %for.cond.i63, %for.body.lr.ph.i53
  %i.021.i = phi i64 [ 0, %for.body.lr.ph.i53 ], [ %inc.i64, %for.cond.i63 ]
  call void @llvm.lifetime.start.p0(ptr %found.i)
  store ptr null, ptr %found.i, align 8
  %33 = load ptr, ptr %get_variable.i, align 8
  %arrayidx.i55 = getelementptr inbounds nuw %struct.fact, ptr %32, i64 %i.021.i
  %34 = load ptr, ptr %arrayidx.i55, align 8
  %call.i56 = call i32 %33(ptr %34, ptr null, ptr %found.i)
  %tobool.not.i57 = icmp eq i32 %call.i56, 0
  br i1 %tobool.not.i57, label %if.end.i60, label %if.then.i58

if.then.i58:                                      ; preds = %for.body.i54
  %clear_error.i59 = getelementptr inbounds nuw i8, ptr %4, i64 168
  %35 = load ptr, ptr %clear_error.i59, align 8
  call void %35()
  call void @llvm.lifetime.end.p0(ptr %found.i)
  br label %for.inc

if.end.i60:                                       ; preds = %for.body.i54
  %36 = load ptr, ptr %found.i, align 8
  %value.i61 = getelementptr inbounds nuw i8, ptr %arrayidx.i55, i64 16
  %37 = load ptr, ptr %value.i61, align 8
  %cmp2.i = icmp eq ptr %36, %37
  %tobool3.not.i62 = icmp eq ptr %36, null
  br i1 %tobool3.not.i62, label %cleanup9.i, label %if.then4.i

if.then4.i:                                       ; preds = %if.end.i60
  %38 = load ptr, ptr %release.i, align 8
  call void %38(ptr %36)
  br label %cleanup9.i

cleanup9.i:                                       ; preds = %if.then4.i, %if.end.i60
  call void @llvm.lifetime.end.p0(ptr %found.i)
  br i1 %cmp2.i, label %for.cond.i63, label %for.inc

if.end24.i:                                       ; preds = %for.cond.i63, %if.end20.i
  %name_count.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 56
  %39 = load i64, ptr %name_count.i, align 8
  %names.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 64
  %40 = load ptr, ptr %names.i, align 8
  %cmp16.i = icmp sgt i64 %39, 0
  br i1 %cmp16.i, label %for.body.lr.ph.i, label %if.end28.i

for.body.lr.ph.i:                                 ; preds = %if.end24.i
  %get_item.i = getelementptr inbounds nuw i8, ptr %4, i64 64
  br label %for.body.i

for.cond.i:                                       ; preds = %for.body.i
  %inc.i = add nuw nsw i64 %i.017.i, 1
  %exitcond.not.i = icmp eq i64 %inc.i, %39
  br i1 %exitcond.not.i, label %if.end28.i, label %for.body.i

for.body.i:                                       ; preds = %for.cond.i, %for.body.lr.ph.i
  %i.017.i = phi i64 [ 0, %for.body.lr.ph.i ], [ %inc.i, %for.cond.i ]
  %41 = load ptr, ptr %get_item.i, align 8
  %arrayidx.i50 = getelementptr inbounds nuw %struct.fact, ptr %40, i64 %i.017.i
  %42 = load ptr, ptr %arrayidx.i50, align 8
  %name.i = getelementptr inbounds nuw i8, ptr %arrayidx.i50, i64 8
  %43 = load ptr, ptr %name.i, align 8
  %call.i51 = call ptr %41(ptr %42, ptr %43)
  %value.i = getelementptr inbounds nuw i8, ptr %arrayidx.i50, i64 16
  %44 = load ptr, ptr %value.i, align 8
  %cmp3.not.i = icmp eq ptr %call.i51, %44
  br i1 %cmp3.not.i, label %for.cond.i, label %if.then.i

if.then.i:                                        ; preds = %for.body.i
  %error.i = getelementptr inbounds nuw i8, ptr %4, i64 160
  %45 = load ptr, ptr %error.i, align 8
  %call4.i = call ptr %45()
  %tobool.not.i52 = icmp eq ptr %call4.i, null
  br i1 %tobool.not.i52, label %for.inc, label %if.then5.i

if.then5.i:                                       ; preds = %if.then.i
  %clear_error.i = getelementptr inbounds nuw i8, ptr %4, i64 168
  %46 = load ptr, ptr %clear_error.i, align 8
  call void %46()
  br label %for.inc

if.end28.i:                                       ; preds = %for.cond.i, %if.end24.i
  %attribute_count.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 72
  %47 = load i64, ptr %attribute_count.i, align 8
  %attributes.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 80
  %48 = load ptr, ptr %attributes.i, align 8
  %call29.i = call fastcc i32 @are_facts(ptr %4, i64 %47, ptr %48)
  %tobool30.not.i = icmp eq i32 %call29.i, 0
  br i1 %tobool30.not.i, label %for.inc, label %if.end32.i

if.end32.i:                                       ; preds = %if.end28.i
  %waiting.i = getelementptr inbounds nuw i8, ptr %kernel.077, i64 32
  %49 = load ptr, ptr %waiting.i, align 8
  %tobool33.not.i = icmp eq ptr %49, null
  br i1 %tobool33.not.i, label %if.then5, label %is_asked_for.exit

is_asked_for.exit:                                ; preds = %if.end32.i
  %list_size.i = getelementptr inbounds nuw i8, ptr %4, i64 104
  %50 = load ptr, ptr %list_size.i, align 8
  %call35.i = call i64 %50(ptr %49)
  %tobool36.not.i.not = icmp eq i64 %call35.i, 0
  br i1 %tobool36.not.i.not, label %if.then5, label %for.inc

if.then5:                                         ; preds = %if.end32.i, %is_asked_for.exit
  %51 = load ptr, ptr %given, align 8
  %52 = load ptr, ptr %kernel.077, align 8
  %53 = load ptr, ptr %52, align 8
  %call.i.i15 = getelementptr inbounds nuw i8, ptr %53, i64 176
  %54 = load ptr, ptr %call.i.i15, align 8
  %stream.i.i = getelementptr inbounds nuw i8, ptr %52, i64 8
  %55 = load ptr, ptr %stream.i.i, align 8
  %acquire.i.i = getelementptr inbounds nuw i8, ptr %55, i64 56
  %56 = load ptr, ptr %acquire.i.i, align 8
  %no.i.i = getelementptr inbounds nuw i8, ptr %53, i64 8
  %call2.i.i = call ptr %54(ptr %56, ptr %no.i.i, i64 1, ptr null)
  %tobool.not.i.i16 = icmp eq ptr %call2.i.i, null
  br i1 %tobool.not.i.i16, label %take_lock.exit.thread.i, label %take_lock.exit.i

take_lock.exit.thread.i:                          ; preds = %if.then5
  %clear_error.i.i = getelementptr inbounds nuw i8, ptr %53, i64 168
  %57 = load ptr, ptr %clear_error.i.i, align 8
  call void %57()
  br label %launch_arguments.exit

take_lock.exit.i:                                 ; preds = %if.then5
  %58 = load ptr, ptr %no.i.i, align 8
  %cmp.i.not.i = icmp eq ptr %call2.i.i, %58
  %release.i.i = getelementptr inbounds nuw i8, ptr %53, i64 192
  %59 = load ptr, ptr %release.i.i, align 8
  call void %59(ptr %call2.i.i)
  br i1 %cmp.i.not.i, label %launch_arguments.exit, label %if.end.i17

if.end.i17:                                       ; preds = %take_lock.exit.i
  %60 = load ptr, ptr %52, align 8
  %61 = load ptr, ptr %stream.i.i, align 8
  %slot_count.i.i = getelementptr inbounds nuw i8, ptr %61, i64 72
  %62 = load i64, ptr %slot_count.i.i, align 8
  %cmp38.i.i = icmp sgt i64 %62, 0
  br i1 %cmp38.i.i, label %for.body.lr.ph.i.i46, label %for.end.i.i

for.body.lr.ph.i.i46:                             ; preds = %if.end.i17
  %slots.i.i = getelementptr inbounds nuw i8, ptr %61, i64 80
  %63 = load ptr, ptr %slots.i.i, align 8
  br label %for.body.i.i47

for.cond.i.i:                                     ; preds = %for.body.i.i47
  %inc.i.i49 = add nuw nsw i64 %i.039.i.i, 1
  %exitcond.not.i.i = icmp eq i64 %inc.i.i49, %62
  br i1 %exitcond.not.i.i, label %for.end.i.i, label %for.body.i.i47

for.body.i.i47:                                   ; preds = %for.cond.i.i, %for.body.lr.ph.i.i46
  %i.039.i.i = phi i64 [ 0, %for.body.lr.ph.i.i46 ], [ %inc.i.i49, %for.cond.i.i ]
  %arrayidx.i.i48 = getelementptr inbounds nuw %struct.slot, ptr %63, i64 %i.039.i.i
  %64 = load ptr, ptr %arrayidx.i.i48, align 8
  %65 = load ptr, ptr %64, align 8
  %value.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i48, i64 8
  %66 = load ptr, ptr %value.i.i, align 8
  %cmp3.not.i.i = icmp eq ptr %65, %66
  br i1 %cmp3.not.i.i, label %for.cond.i.i, label %land.end12.i

for.end.i.i:                                      ; preds = %for.cond.i.i, %if.end.i17
  %pending4.i.i = getelementptr inbounds nuw i8, ptr %61, i64 8
  %67 = load ptr, ptr %pending4.i.i, align 8
  %68 = load ptr, ptr %67, align 8
  %tobool.not.i21.i = icmp eq ptr %68, null
  br i1 %tobool.not.i21.i, label %land.end12.i, label %lor.lhs.false.i.i

lor.lhs.false.i.i:                                ; preds = %for.end.i.i
  %arrayidx.i.i.i18 = getelementptr inbounds nuw i8, ptr %68, i64 8
  %69 = load ptr, ptr %arrayidx.i.i.i18, align 8
  %list_type.i.i = getelementptr inbounds nuw i8, ptr %60, i64 40
  %70 = load ptr, ptr %list_type.i.i, align 8
  %cmp5.not.i.i = icmp eq ptr %69, %70
  br i1 %cmp5.not.i.i, label %lor.lhs.false6.i.i, label %land.end12.i

lor.lhs.false6.i.i:                               ; preds = %lor.lhs.false.i.i
  %list_size.i.i = getelementptr inbounds nuw i8, ptr %60, i64 104
  %71 = load ptr, ptr %list_size.i.i, align 8
  %call7.i.i = call i64 %71(ptr %68)
  %tobool8.not.i.i = icmp eq i64 %call7.i.i, 0
  br i1 %tobool8.not.i.i, label %if.end10.i.i, label %land.end12.i

if.end10.i.i:                                     ; preds = %lor.lhs.false6.i.i
  %72 = load ptr, ptr %61, align 8
  %73 = load ptr, ptr %72, align 8
  %submission11.i.i = getelementptr inbounds nuw i8, ptr %61, i64 32
  %74 = load i64, ptr %submission11.i.i, align 8
  %add.ptr.i.i.i20 = getelementptr inbounds i8, ptr %73, i64 %74
  %75 = load ptr, ptr %add.ptr.i.i.i20, align 8
  %tobool13.not.i.i = icmp eq ptr %75, null
  br i1 %tobool13.not.i.i, label %land.end12.i, label %lor.lhs.false14.i.i

lor.lhs.false14.i.i:                              ; preds = %if.end10.i.i
  %76 = load ptr, ptr %60, align 8
  %cmp15.i.i = icmp eq ptr %75, %76
  br i1 %cmp15.i.i, label %land.end12.i, label %is_open.exit.i

is_open.exit.i:                                   ; preds = %lor.lhs.false14.i.i
  %fact_count.i.i = getelementptr inbounds nuw i8, ptr %61, i64 88
  %77 = load i64, ptr %fact_count.i.i, align 8
  %facts.i.i = getelementptr inbounds nuw i8, ptr %61, i64 96
  %78 = load ptr, ptr %facts.i.i, align 8
  %call18.i.i = call fastcc i32 @are_facts(ptr %60, i64 %77, ptr %78)
  %tobool3.not.i = icmp eq i32 %call18.i.i, 0
  br i1 %tobool3.not.i, label %land.end12.i, label %land.rhs.i

land.rhs.i:                                       ; preds = %is_open.exit.i
  %79 = load ptr, ptr %kernel.077, align 8
  %80 = load ptr, ptr %79, align 8
  %tuple_size.i.i21 = getelementptr inbounds nuw i8, ptr %80, i64 88
  %81 = load ptr, ptr %tuple_size.i.i21, align 8
  %call.i22.i = call i64 %81(ptr %51)
  %82 = load i64, ptr %argument_count.i.i, align 8
  %cmp.not.i.i23 = icmp eq i64 %call.i22.i, %82
  br i1 %cmp.not.i.i23, label %for.cond.preheader.i.i24, label %land.end12.i

for.cond.preheader.i.i24:                         ; preds = %land.rhs.i
  %tuple_item.i.i25 = getelementptr inbounds nuw i8, ptr %80, i64 96
  %cmp3.not51.i.i29 = icmp slt i64 %call.i22.i, 1
  br i1 %cmp3.not51.i.i29, label %for.end.i32.sink.split.i, label %for.body.lr.ph.i24.i

for.body.lr.ph.i24.i:                             ; preds = %for.cond.preheader.i.i24
  %arguments5.i.i30 = getelementptr inbounds nuw i8, ptr %kernel.077, i64 96
  br label %for.body.i25.i

for.body.i25.i:                                   ; preds = %for.inc.i.i44, %for.body.lr.ph.i24.i
  %i.052.i.i31 = phi i64 [ 0, %for.body.lr.ph.i24.i ], [ %inc.i30.i, %for.inc.i.i44 ]
  %83 = load ptr, ptr %tuple_item.i.i25, align 8
  %call4.i.i32 = call ptr %83(ptr %51, i64 %i.052.i.i31)
  %84 = load ptr, ptr %arguments5.i.i30, align 8
  %arrayidx.i26.i = getelementptr inbounds nuw %struct.argument, ptr %84, i64 %i.052.i.i31
  %arrayidx.i.i27.i = getelementptr inbounds nuw i8, ptr %call4.i.i32, i64 8
  %85 = load ptr, ptr %arrayidx.i.i27.i, align 8
  %86 = load ptr, ptr %arrayidx.i26.i, align 8
  %cmp7.not.i.i33 = icmp eq ptr %85, %86
  br i1 %cmp7.not.i.i33, label %if.end9.i.i34, label %land.end12.i

if.end9.i.i34:                                    ; preds = %for.body.i25.i
  %layout.i.i35 = getelementptr inbounds nuw i8, ptr %arrayidx.i26.i, i64 8
  %87 = load ptr, ptr %layout.i.i35, align 8
  %tobool.not.i28.i = icmp eq ptr %87, null
  br i1 %tobool.not.i28.i, label %for.inc.i.i44, label %if.end11.i.i36

if.end11.i.i36:                                   ; preds = %if.end9.i.i34
  %88 = load i64, ptr %pending.i.i, align 8
  %add.ptr.i.i29.i = getelementptr inbounds i8, ptr %call4.i.i32, i64 %88
  %89 = load ptr, ptr %add.ptr.i.i29.i, align 8
  %90 = load ptr, ptr %80, align 8
  %cmp13.not.i.i37 = icmp eq ptr %89, %90
  br i1 %cmp13.not.i.i37, label %if.end15.i.i38, label %land.end12.i

if.end15.i.i38:                                   ; preds = %if.end11.i.i36
  %91 = load i64, ptr %layout16.i.i, align 8
  %add.ptr.i48.i.i39 = getelementptr inbounds i8, ptr %call4.i.i32, i64 %91
  %92 = load ptr, ptr %add.ptr.i48.i.i39, align 8
  %cmp19.not.i.i40 = icmp eq ptr %92, %87
  br i1 %cmp19.not.i.i40, label %if.end21.i.i41, label %land.end12.i

if.end21.i.i41:                                   ; preds = %if.end15.i.i38
  %93 = load i64, ptr %address.i.i, align 8
  %add.ptr.i49.i.i42 = getelementptr inbounds i8, ptr %call4.i.i32, i64 %93
  %94 = load ptr, ptr %add.ptr.i49.i.i42, align 8
  %tobool23.not.i.i43 = icmp eq ptr %94, null
  br i1 %tobool23.not.i.i43, label %land.end12.i, label %for.inc.i.i44

for.inc.i.i44:                                    ; preds = %if.end21.i.i41, %if.end9.i.i34
  %inc.i30.i = add nuw nsw i64 %i.052.i.i31, 1
  %95 = load i64, ptr %argument_count.i.i, align 8
  %cmp3.not.not.i.i45 = icmp slt i64 %inc.i30.i, %95
  br i1 %cmp3.not.not.i.i45, label %for.body.i25.i, label %land.lhs.true.i

land.lhs.true.i:                                  ; preds = %for.inc.i.i44
  %96 = icmp sgt i64 %95, 0
  %97 = load ptr, ptr %kernel.077, align 8
  %98 = load ptr, ptr %97, align 8
  br i1 %96, label %for.body.lr.ph.i35.i, label %for.end.i32.i

for.body.lr.ph.i35.i:                             ; preds = %land.lhs.true.i
  %tuple_item.i36.i = getelementptr inbounds nuw i8, ptr %98, i64 96
  br label %for.body.i38.i

for.cond.i45.i:                                   ; preds = %cond.end.i.i
  %inc.i46.i = add nuw nsw i64 %i.033.i.i, 1
  %99 = load i64, ptr %argument_count.i.i, align 8
  %cmp.not.i47.i = icmp slt i64 %inc.i46.i, %99
  br i1 %cmp.not.i47.i, label %for.body.i38.i, label %for.end.i32.sink.split.i

for.body.i38.i:                                   ; preds = %for.cond.i45.i, %for.body.lr.ph.i35.i
  %i.033.i.i = phi i64 [ 0, %for.body.lr.ph.i35.i ], [ %inc.i46.i, %for.cond.i45.i ]
  %100 = load ptr, ptr %tuple_item.i36.i, align 8
  %call.i39.i = call ptr %100(ptr %51, i64 %i.033.i.i)
  %101 = load ptr, ptr %arguments5.i.i30, align 8
  %arrayidx.i40.i = getelementptr inbounds nuw %struct.argument, ptr %101, i64 %i.033.i.i
  %layout.i41.i = getelementptr inbounds nuw i8, ptr %arrayidx.i40.i, i64 8
  %102 = load ptr, ptr %layout.i41.i, align 8
  %tobool.not.i42.i = icmp eq ptr %102, null
  br i1 %tobool.not.i42.i, label %cond.end.i.i, label %cond.true.i.i

cond.true.i.i:                                    ; preds = %for.body.i38.i
  %103 = load i64, ptr %address.i.i, align 8
  %add.ptr.i.i43.i = getelementptr inbounds i8, ptr %call.i39.i, i64 %103
  %104 = load ptr, ptr %add.ptr.i.i43.i, align 8
  br label %cond.end.i.i

cond.end.i.i:                                     ; preds = %cond.true.i.i, %for.body.i38.i
  %cond.i.i = phi ptr [ %104, %cond.true.i.i ], [ %call.i39.i, %for.body.i38.i ]
  %number.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i40.i, i64 16
  %call4.i44.i = call fastcc i32 @pack(ptr %98, ptr %number.i.i, ptr %cond.i.i)
  %tobool5.not.not.i.i = icmp eq i32 %call4.i44.i, 0
  br i1 %tobool5.not.not.i.i, label %if.then.i48.i, label %for.cond.i45.i

if.then.i48.i:                                    ; preds = %cond.end.i.i
  %error.i.i = getelementptr inbounds nuw i8, ptr %98, i64 160
  %105 = load ptr, ptr %error.i.i, align 8
  %call6.i.i = call ptr %105()
  %tobool7.not.i.i = icmp eq ptr %call6.i.i, null
  br i1 %tobool7.not.i.i, label %land.end12.i, label %if.then8.i.i

if.then8.i.i:                                     ; preds = %if.then.i48.i
  %clear_error.i49.i = getelementptr inbounds nuw i8, ptr %98, i64 168
  %106 = load ptr, ptr %clear_error.i49.i, align 8
  call void %106()
  br label %land.end12.i

for.end.i32.sink.split.i:                         ; preds = %for.cond.i45.i, %for.cond.preheader.i.i24
  %107 = load ptr, ptr %kernel.077, align 8
  br label %for.end.i32.i

for.end.i32.i:                                    ; preds = %for.end.i32.sink.split.i, %land.lhs.true.i
  %108 = phi ptr [ %97, %land.lhs.true.i ], [ %107, %for.end.i32.sink.split.i ]
  %pair_count.i.i.i = getelementptr inbounds nuw i8, ptr %108, i64 72
  %109 = load i64, ptr %pair_count.i.i.i, align 8
  %cmp15.i.i.i = icmp sgt i64 %109, 0
  br i1 %cmp15.i.i.i, label %for.body.lr.ph.i.i.i, label %land.rhs9.i

for.body.lr.ph.i.i.i:                             ; preds = %for.end.i32.i
  %pairs.i.i.i = getelementptr inbounds nuw i8, ptr %108, i64 80
  %110 = load ptr, ptr %pairs.i.i.i, align 8
  br label %for.body.i.i.i

for.body.i.i.i:                                   ; preds = %if.end.i.i.i, %for.body.lr.ph.i.i.i
  %i.016.i.i.i = phi i64 [ 0, %for.body.lr.ph.i.i.i ], [ %inc.i.i.i, %if.end.i.i.i ]
  %arrayidx.i.i34.i = getelementptr inbounds nuw %struct.pair, ptr %110, i64 %i.016.i.i.i
  %second.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i34.i, i64 8
  %111 = load ptr, ptr %second.i.i.i, align 8
  %112 = load i64, ptr %111, align 8
  %113 = load ptr, ptr %arrayidx.i.i34.i, align 8
  %114 = load i64, ptr %113, align 8
  %sub.i.i.i = sub i64 %112, %114
  %least.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i34.i, i64 16
  %115 = load i64, ptr %least.i.i.i, align 8
  %cmp1.i.i.i = icmp slt i64 %115, %sub.i.i.i
  br i1 %cmp1.i.i.i, label %land.lhs.true.i.i.i, label %if.end.i.i.i

land.lhs.true.i.i.i:                              ; preds = %for.body.i.i.i
  %greatest.i.i.i = getelementptr inbounds nuw i8, ptr %arrayidx.i.i34.i, i64 24
  %116 = load i64, ptr %greatest.i.i.i, align 8
  %cmp2.i.i.i = icmp slt i64 %sub.i.i.i, %116
  br i1 %cmp2.i.i.i, label %land.end12.i, label %if.end.i.i.i

if.end.i.i.i:                                     ; preds = %land.lhs.true.i.i.i, %for.body.i.i.i
  %inc.i.i.i = add nuw nsw i64 %i.016.i.i.i, 1
  %exitcond.not.i.i.i = icmp eq i64 %inc.i.i.i, %109
  br i1 %exitcond.not.i.i.i, label %land.rhs9.i, label %for.body.i.i.i

land.rhs9.i:                                      ; preds = %if.end.i.i.i, %for.end.i32.i
  %call10.i = call fastcc i32 @join_batch(ptr %52)
  br label %land.end12.i

land.end12.i:                                     ; preds = %for.body.i.i47, %if.end21.i.i41, %if.end15.i.i38, %if.end11.i.i36, %for.body.i25.i, %land.lhs.true.i.i.i, %land.rhs9.i, %if.then8.i.i, %if.then.i48.i, %land.rhs.i, %is_open.exit.i, %lor.lhs.false14.i.i, %if.end10.i.i, %lor.lhs.false6.i.i, %lor.lhs.false.i.i, %for.end.i.i
  %land.ext13.i = phi i32 [ 0, %if.end21.i.i41 ], [ 0, %land.lhs.true.i.i.i ], [ %call10.i, %land.rhs9.i ], [ 0, %is_open.exit.i ], [ 0, %if.end10.i.i ], [ 0, %for.end.i.i ], [ 0, %lor.lhs.false6.i.i ], [ 0, %lor.lhs.false.i.i ], [ 0, %lor.lhs.false14.i.i ], [ 0, %land.rhs.i ], [ 0, %if.then.i48.i ], [ 0, %if.then8.i.i ], [ 0, %for.body.i25.i ], [ 0, %if.end11.i.i36 ], [ 0, %if.end15.i.i38 ], [ 0, %for.body.i.i47 ]
  %117 = load ptr, ptr %52, align 8
  %call.i50.i = getelementptr inbounds nuw i8, ptr %117, i64 176
  %118 = load ptr, ptr %call.i50.i, align 8
  %119 = load ptr, ptr %stream.i.i, align 8
  %release.i52.i = getelementptr inbounds nuw i8, ptr %119, i64 64
  %120 = load ptr, ptr %release.i52.i, align 8
  %call1.i.i = call ptr %118(ptr %120, ptr null, i64 0, ptr null)
  %tobool.not.i53.i = icmp eq ptr %call1.i.i, null
  %121 = load ptr, ptr %52, align 8
  br i1 %tobool.not.i53.i, label %if.else.i.i, label %if.then.i54.i

if.then.i54.i:                                    ; preds = %land.end12.i
  %release3.i.i = getelementptr inbounds nuw i8, ptr %121, i64 192
  %122 = load ptr, ptr %release3.i.i, align 8
  call void %122(ptr %call1.i.i)
  br label %launch_arguments.exit

if.else.i.i:                                      ; preds = %land.end12.i
  %clear_error.i56.i = getelementptr inbounds nuw i8, ptr %121, i64 168
  %123 = load ptr, ptr %clear_error.i56.i, align 8
  call void %123()
  br label %launch_arguments.exit

launch_arguments.exit:                            ; preds = %take_lock.exit.thread.i, %take_lock.exit.i, %if.then.i54.i, %if.else.i.i
  %retval.0.i19 = phi i32 [ 0, %take_lock.exit.thread.i ], [ 0, %take_lock.exit.i ], [ %land.ext13.i, %if.then.i54.i ], [ %land.ext13.i, %if.else.i.i ]
  %124 = zext nneg i32 %retval.0.i19 to i64
  br label %if.end7

for.inc:                                          ; preds = %for.body.i.i, %if.end11.i.i, %if.end15.i.i, %if.end21.i.i, %cleanup9.i, %if.then5.i, %if.then.i, %if.then.i58, %if.end15.i, %lor.lhs.false10.i, %lor.lhs.false.i, %lor.lhs.false5.i, %if.end.i, %if.end28.i, %for.body, %is_asked_for.exit
  %next = getelementptr inbounds nuw i8, ptr %kernel.077, i64 8
  %125 = load ptr, ptr %next, align 8
  %tobool.not = icmp eq ptr %125, null
  br i1 %tobool.not, label %if.end7, label %for.body

if.end7:                                          ; preds = %for.inc, %launch_arguments.exit, %entry
  %done.0 = phi i64 [ %124, %launch_arguments.exit ], [ 0, %entry ], [ 0, %for.inc ]
  %bool_of = getelementptr inbounds nuw i8, ptr %2, i64 200
  %126 = load ptr, ptr %bool_of, align 8
  %call8 = call ptr %126(i64 %done.0)
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
  %as_signed.i = getelementptr inbounds nuw i8, ptr %0, i64 144
  %14 = load ptr, ptr %as_signed.i, align 8
  %call2.i = tail call i64 %14(ptr %11)
  %cmp3.i = icmp eq i64 %call2.i, -1
  br i1 %cmp3.i, label %land.lhs.true.i, label %room_in.exit

land.lhs.true.i:                                  ; preds = %if.end.i
  %error.i = getelementptr inbounds nuw i8, ptr %0, i64 160
  %15 = load ptr, ptr %error.i, align 8
  %call4.i = tail call ptr %15()
  %tobool5.not.i = icmp eq ptr %call4.i, null
  br i1 %tobool5.not.i, label %room_in.exit, label %if.then6.i

if.then6.i:                                       ; preds = %land.lhs.true.i
  %clear_error.i = getelementptr inbounds nuw i8, ptr %0, i64 168
  %16 = load ptr, ptr %clear_error.i, align 8
  tail call void %16()
  br label %room_in.exit

room_in.exit:                                     ; preds = %if.end.i, %land.lhs.true.i, %if.then6.i
  %list_size.i = getelementptr inbounds nuw i8, ptr %0, i64 104
  %17 = load ptr, ptr %list_size.i, align 8
  %call8.i = tail call i64 %17(ptr %5)
  %sub.i = sub nsw i64 %call2.i, %call8.i
  %cmp7 = icmp slt i64 %sub.i, 2
  br i1 %cmp7, label %cleanup33, label %if.end9

if.end9:                                          ; preds = %room_in.exit
  %list_append = getelementptr inbounds nuw i8, ptr %0, i64 120
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
  %retain = getelementptr inbounds nuw i8, ptr %0, i64 184
  %23 = load ptr, ptr %retain, align 8
  %yes = getelementptr inbounds nuw i8, ptr %0, i64 16
  %24 = load ptr, ptr %yes, align 8
  tail call void %23(ptr %24)
  %25 = load ptr, ptr %yes, align 8
  store ptr %25, ptr %21, align 8
  %let_others_run = getelementptr inbounds nuw i8, ptr %0, i64 208
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
  %run_again = getelementptr inbounds nuw i8, ptr %0, i64 216
  %31 = load ptr, ptr %run_again, align 8
  tail call void %31(ptr %call17)
  store ptr %22, ptr %21, align 8
  %release = getelementptr inbounds nuw i8, ptr %0, i64 192
  %32 = load ptr, ptr %release, align 8
  %33 = load ptr, ptr %yes, align 8
  tail call void %32(ptr %33)
  %tobool21.not = icmp eq i32 %call19, 0
  br i1 %tobool21.not, label %cleanup33, label %if.end23

if.end23:                                         ; preds = %if.end13
  %34 = load ptr, ptr %list_size.i, align 8
  %call24 = tail call i64 %34(ptr %5)
  %list_set_slice = getelementptr inbounds nuw i8, ptr %0, i64 128
  %35 = load ptr, ptr %list_set_slice, align 8
  %sub = add nsw i64 %call24, -1
  %call25 = tail call i32 %35(ptr %5, i64 %sub, i64 %call24, ptr null)
  %tobool26.not = icmp eq i32 %call25, 0
  br i1 %tobool26.not, label %cleanup33, label %cleanup33.sink.split

cleanup33.sink.split:                             ; preds = %if.end23, %if.end9
  %clear_error28 = getelementptr inbounds nuw i8, ptr %0, i64 168
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
  %get_attribute.i = getelementptr inbounds nuw i8, ptr %api, i64 56
  %release.i = getelementptr inbounds nuw i8, ptr %api, i64 192
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
  %clear_error.i = getelementptr inbounds nuw i8, ptr %api, i64 168
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

define internal fastcc range(i32 0, 2) i32 @pack(ptr %api, ptr %number, ptr %value) unnamed_addr {
entry:
  %kind = getelementptr inbounds nuw i8, ptr %number, i64 16
  %0 = load i64, ptr %kind, align 8
  %1 = and i64 %0, -2
  %switch = icmp eq i64 %1, 4
  %arrayidx.i = getelementptr inbounds nuw i8, ptr %value, i64 8
  %2 = load ptr, ptr %arrayidx.i, align 8
  br i1 %switch, label %if.then, label %if.end11

if.then:                                          ; preds = %entry
  %float_type = getelementptr inbounds nuw i8, ptr %api, i64 32
  %3 = load ptr, ptr %float_type, align 8
  %cmp3.not = icmp eq ptr %2, %3
  br i1 %cmp3.not, label %if.end, label %return

if.end:                                           ; preds = %if.then
  %as_double = getelementptr inbounds nuw i8, ptr %api, i64 152
  %4 = load ptr, ptr %as_double, align 8
  %call5 = tail call double %4(ptr %value)
  %5 = load i64, ptr %kind, align 8
  %cmp7 = icmp eq i64 %5, 4
  br i1 %cmp7, label %if.then8, label %if.else

if.then8:                                         ; preds = %if.end
  %conv = fptrunc double %call5 to float
  %target = getelementptr inbounds nuw i8, ptr %number, i64 24
  %6 = load ptr, ptr %target, align 8
  store float %conv, ptr %6, align 4
  br label %return

if.else:                                          ; preds = %if.end
  %target9 = getelementptr inbounds nuw i8, ptr %number, i64 24
  %7 = load ptr, ptr %target9, align 8
  store double %call5, ptr %7, align 8
  br label %return

if.end11:                                         ; preds = %entry
  %int_type = getelementptr inbounds nuw i8, ptr %api, i64 24
  %8 = load ptr, ptr %int_type, align 8
  %cmp13.not = icmp eq ptr %2, %8
  br i1 %cmp13.not, label %if.end16, label %return

if.end16:                                         ; preds = %if.end11
  %cmp18 = icmp eq i64 %0, 0
  br i1 %cmp18, label %if.then20, label %if.end28

if.then20:                                        ; preds = %if.end16
  %as_unsigned = getelementptr inbounds nuw i8, ptr %api, i64 136
  %9 = load ptr, ptr %as_unsigned, align 8
  %call21 = tail call i64 %9(ptr %value)
  %cmp22 = icmp eq i64 %call21, -1
  br i1 %cmp22, label %land.lhs.true, label %if.end26

land.lhs.true:                                    ; preds = %if.then20
  %error = getelementptr inbounds nuw i8, ptr %api, i64 160
  %10 = load ptr, ptr %error, align 8
  %call24 = tail call ptr %10()
  %tobool.not = icmp eq ptr %call24, null
  br i1 %tobool.not, label %if.end26, label %return

if.end26:                                         ; preds = %land.lhs.true, %if.then20
  %more = getelementptr inbounds nuw i8, ptr %number, i64 8
  %11 = load i64, ptr %more, align 8
  %add = add i64 %11, %call21
  %target27 = getelementptr inbounds nuw i8, ptr %number, i64 24
  %12 = load ptr, ptr %target27, align 8
  store i64 %add, ptr %12, align 8
  br label %return

if.end28:                                         ; preds = %if.end16
  %as_signed = getelementptr inbounds nuw i8, ptr %api, i64 144
  %13 = load ptr, ptr %as_signed, align 8
  %call30 = tail call i64 %13(ptr %value)
  %cmp31 = icmp eq i64 %call30, -1
  br i1 %cmp31, label %land.lhs.true33, label %if.end38

land.lhs.true33:                                  ; preds = %if.end28
  %error34 = getelementptr inbounds nuw i8, ptr %api, i64 160
  %14 = load ptr, ptr %error34, align 8
  %call35 = tail call ptr %14()
  %tobool36.not = icmp eq ptr %call35, null
  br i1 %tobool36.not, label %if.end38, label %return

if.end38:                                         ; preds = %land.lhs.true33, %if.end28
  %15 = load i64, ptr %kind, align 8
  %cmp40 = icmp eq i64 %15, 2
  br i1 %cmp40, label %if.then42, label %if.end44

if.then42:                                        ; preds = %if.end38
  %target43 = getelementptr inbounds nuw i8, ptr %number, i64 24
  %16 = load ptr, ptr %target43, align 8
  store i64 %call30, ptr %16, align 8
  br label %return

if.end44:                                         ; preds = %if.end38
  %cmp46 = icmp eq i64 %15, 1
  %cond = select i1 %cmp46, i64 -2147483648, i64 0
  %cmp52 = icmp slt i64 %call30, %cond
  %cond51 = select i1 %cmp46, i64 2147483647, i64 4294967295
  %cmp55 = icmp sgt i64 %call30, %cond51
  %or.cond = or i1 %cmp52, %cmp55
  br i1 %or.cond, label %return, label %if.end58

if.end58:                                         ; preds = %if.end44
  %conv59 = trunc i64 %call30 to i32
  %target60 = getelementptr inbounds nuw i8, ptr %number, i64 24
  %17 = load ptr, ptr %target60, align 8
  store i32 %conv59, ptr %17, align 4
  br label %return

return:                                           ; preds = %if.then42, %land.lhs.true33, %if.end44, %if.end58, %if.end26, %land.lhs.true, %if.end11, %if.then8, %if.else, %if.then
  %retval.3 = phi i32 [ 0, %land.lhs.true ], [ 0, %if.then ], [ 1, %if.then8 ], [ 0, %if.end11 ], [ 1, %if.else ], [ 1, %if.end26 ], [ 0, %land.lhs.true33 ], [ 1, %if.then42 ], [ 1, %if.end58 ], [ 0, %if.end44 ]
  ret i32 %retval.3
}

define internal fastcc range(i32 0, 2) i32 @is_size(ptr %api, ptr %given, ptr %known) unnamed_addr {
entry:
  %arrayidx.i = getelementptr inbounds nuw i8, ptr %given, i64 8
  %0 = load ptr, ptr %arrayidx.i, align 8
  %tuple_type = getelementptr inbounds nuw i8, ptr %api, i64 48
  %1 = load ptr, ptr %tuple_type, align 8
  %cmp.not = icmp eq ptr %0, %1
  br i1 %cmp.not, label %lor.lhs.false, label %if.then

lor.lhs.false:                                    ; preds = %entry
  %arrayidx.i36 = getelementptr inbounds nuw i8, ptr %known, i64 8
  %2 = load ptr, ptr %arrayidx.i36, align 8
  %cmp3.not = icmp eq ptr %2, %0
  br i1 %cmp3.not, label %if.end, label %if.then

if.then:                                          ; preds = %lor.lhs.false, %entry
  %cmp.i = icmp eq ptr %given, %known
  br i1 %cmp.i, label %return, label %if.end.i

if.end.i:                                         ; preds = %if.then
  %int_type.i = getelementptr inbounds nuw i8, ptr %api, i64 24
  %3 = load ptr, ptr %int_type.i, align 8
  %cmp1.not.i = icmp eq ptr %0, %3
  br i1 %cmp1.not.i, label %lor.lhs.false.i, label %return

lor.lhs.false.i:                                  ; preds = %if.end.i
  %arrayidx.i15.i = getelementptr inbounds nuw i8, ptr %known, i64 8
  %4 = load ptr, ptr %arrayidx.i15.i, align 8
  %cmp4.not.i = icmp eq ptr %4, %0
  br i1 %cmp4.not.i, label %if.end6.i, label %return

if.end6.i:                                        ; preds = %lor.lhs.false.i
  %compare.i = getelementptr inbounds nuw i8, ptr %api, i64 80
  %5 = load ptr, ptr %compare.i, align 8
  %call7.i = tail call i32 %5(ptr %given, ptr %known, i32 2)
  %cmp8.i = icmp eq i32 %call7.i, 1
  %6 = zext i1 %cmp8.i to i32
  br label %return

if.end:                                           ; preds = %lor.lhs.false
  %tuple_size = getelementptr inbounds nuw i8, ptr %api, i64 88
  %7 = load ptr, ptr %tuple_size, align 8
  %call5 = tail call i64 %7(ptr %known)
  %8 = load ptr, ptr %tuple_size, align 8
  %call7 = tail call i64 %8(ptr %given)
  %cmp8.not = icmp eq i64 %call7, %call5
  br i1 %cmp8.not, label %for.cond.preheader, label %return

for.cond.preheader:                               ; preds = %if.end
  %compare.i47 = getelementptr inbounds nuw i8, ptr %api, i64 80
  %cmp11.not57 = icmp slt i64 %call5, 1
  br i1 %cmp11.not57, label %return, label %for.body.lr.ph

for.body.lr.ph:                                   ; preds = %for.cond.preheader
  %tuple_item = getelementptr inbounds nuw i8, ptr %api, i64 96
  %int_type.i40 = getelementptr inbounds nuw i8, ptr %api, i64 24
  br label %for.body

for.body:                                         ; preds = %for.body.lr.ph, %for.inc
  %i.058 = phi i64 [ 0, %for.body.lr.ph ], [ %inc, %for.inc ]
  %9 = load ptr, ptr %tuple_item, align 8
  %call12 = tail call ptr %9(ptr %given, i64 %i.058)
  %10 = load ptr, ptr %tuple_item, align 8
  %call14 = tail call ptr %10(ptr %known, i64 %i.058)
  %cmp.i37 = icmp eq ptr %call12, %call14
  br i1 %cmp.i37, label %for.inc, label %if.end.i38

if.end.i38:                                       ; preds = %for.body
  %arrayidx.i.i39 = getelementptr inbounds nuw i8, ptr %call12, i64 8
  %11 = load ptr, ptr %arrayidx.i.i39, align 8
  %12 = load ptr, ptr %int_type.i40, align 8
  %cmp1.not.i41 = icmp eq ptr %11, %12
  br i1 %cmp1.not.i41, label %lor.lhs.false.i43, label %return

lor.lhs.false.i43:                                ; preds = %if.end.i38
  %arrayidx.i15.i44 = getelementptr inbounds nuw i8, ptr %call14, i64 8
  %13 = load ptr, ptr %arrayidx.i15.i44, align 8
  %cmp4.not.i45 = icmp eq ptr %13, %11
  br i1 %cmp4.not.i45, label %is_extent.exit51, label %return

is_extent.exit51:                                 ; preds = %lor.lhs.false.i43
  %14 = load ptr, ptr %compare.i47, align 8
  %call7.i48 = tail call i32 %14(ptr %call12, ptr %call14, i32 2)
  %cmp8.i49.not = icmp eq i32 %call7.i48, 1
  br i1 %cmp8.i49.not, label %for.inc, label %return

for.inc:                                          ; preds = %for.body, %is_extent.exit51
  %inc = add nuw nsw i64 %i.058, 1
  %exitcond.not = icmp eq i64 %inc, %call5
  br i1 %exitcond.not, label %return, label %for.body

return:                                           ; preds = %if.end.i38, %lor.lhs.false.i43, %is_extent.exit51, %for.inc, %for.cond.preheader, %if.end6.i, %lor.lhs.false.i, %if.end.i, %if.then, %if.end
  %retval.2.shrunk = phi i32 [ 0, %if.end ], [ 0, %if.end.i ], [ %6, %if.end6.i ], [ 1, %if.then ], [ 0, %lor.lhs.false.i ], [ 1, %for.cond.preheader ], [ 0, %is_extent.exit51 ], [ 0, %lor.lhs.false.i43 ], [ 0, %if.end.i38 ], [ 1, %for.inc ]
  ret i32 %retval.2.shrunk
}
