; The thread pool's inner part: worker threads wait and work here, outside of Python.
;
; pool.py loads one copy of this module for each pool; the module's globals are the pool's state.
; Python starts the worker threads, which call sm_worker and return from it only after sm_stop.
; It replaces @relax's body, marked below, by the processor's hint for waiting loops.
;
; One job runs at a time. Its owner, the calling thread, publishes it through the gate, works
; itself, closes the gate and waits until every worker that came in has gone out. So a worker that
; sleeps through a job costs nothing, and no worker ever sees the fields of a job change.
;
;   gate, bits 0-15    workers inside the job
;         bit  16      the job is open: workers may come in
;         bit  17      the pool has stopped: workers return
;         bits 32-63   number of the job
;
; Who waits first spins, then sleeps on a condition variable. "Sleepers" and "owner waits" are
; written before the gate is read again, and read after the gate has been written, all sequentially
; consistent: of a waiter and a waker at least one sees the other, so no wake-up is lost.

; Every variable has 128 bytes of its own: two lines of 64 bytes, which x86 fetches in pairs, or one
; line of Apple's processors. They are also more than any system's pthread_mutex_t (64 bytes on
; macOS, 40 on Linux) and pthread_cond_t (48 bytes on both) need.
%line = type { i64, [120 x i8] }

%job = type {
  ptr,        ; 0 entry: void (ptr arguments, i64 begin, i64 end)
  ptr,        ; 1 arguments
  i64,        ; 2 groups in all
  i64,        ; 3 groups that a worker takes at once
  [96 x i8]
}

@gate = internal global %line zeroinitializer, align 128
@job = internal global %job zeroinitializer, align 128
@next = internal global %line zeroinitializer, align 128        ; first group that nobody took
@busy = internal global %line zeroinitializer, align 128        ; 1 while a job has the pool
@sleepers = internal global %line zeroinitializer, align 128    ; workers that sleep
@owner_waits = internal global %line zeroinitializer, align 128 ; 1 while the owner sleeps
@spins = internal global %line zeroinitializer, align 128       ; rounds of a spinning wait
@mutex = internal global %line zeroinitializer, align 128
@work_there = internal global %line zeroinitializer, align 128  ; condition: workers sleep on it
@work_done = internal global %line zeroinitializer, align 128   ; condition: the owner sleeps on it

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_broadcast(ptr)

declare i64 @llvm.umin.i64(i64, i64)

; Tells the processor that this thread waits. The declarations of the hints come with the body.
define internal void @relax() alwaysinline {
  ;RELAX
  ret void
}

; Makes the state new, with no thread in it: before the first worker starts, and in a forked child,
; where the threads are gone and the mutex may have been held by one of them.
define void @sm_reset(i64 %spins) {
  store i64 %spins, ptr @spins
  store i64 0, ptr @next
  store i64 0, ptr @busy
  store i64 0, ptr @sleepers
  store i64 0, ptr @owner_waits
  %m = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %t = call i32 @pthread_cond_init(ptr @work_there, ptr null)
  %d = call i32 @pthread_cond_init(ptr @work_done, ptr null)
  store atomic i64 0, ptr @gate seq_cst, align 8
  ret void
}

; Waits as a spinning thread does, for pool.py to measure what a round takes.
define void @sm_spin(i64 %rounds) {
entry:
  br label %head
head:
  %left = phi i64 [ %rounds, %entry ], [ %fewer, %body ]
  %over = icmp eq i64 %left, 0
  br i1 %over, label %done, label %body
body:
  call void @relax()
  %gate = load atomic i64, ptr @gate acquire, align 8
  %fewer = sub i64 %left, 1
  br label %head
done:
  ret void
}

; Lets all workers return from sm_worker.
define void @sm_stop() {
  %gate = atomicrmw or ptr @gate, i64 131072 seq_cst
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %woken = call i32 @pthread_cond_broadcast(ptr @work_there)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}

; Runs entry(arguments, begin, end) over all groups, on this thread and on the workers; returns when
; every group is done, at once where there is none. While the pool is busy, for a call from within a kernel or from another
; Python thread, the groups are run on this thread alone.
define void @sm_parallel_for(ptr %entry, ptr %arguments, i64 %groups, i64 %chunk) {
start:
  ; From here on the groups are at least one, and may be compared without sign.
  %any = icmp sgt i64 %groups, 0
  br i1 %any, label %claim_pool, label %nothing

nothing:
  ret void

claim_pool:
  %claim = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %claim, 1
  br i1 %free, label %publish, label %alone

alone:
  call void %entry(ptr %arguments, i64 0, i64 %groups)
  ret void

publish:
  store ptr %entry, ptr @job
  store ptr %arguments, ptr getelementptr (%job, ptr @job, i32 0, i32 1)
  store atomic i64 %groups, ptr getelementptr (%job, ptr @job, i32 0, i32 2) monotonic, align 8
  store i64 %chunk, ptr getelementptr (%job, ptr @job, i32 0, i32 3)
  store atomic i64 0, ptr @next monotonic, align 8
  ; The next number, and open: 2^32 + 2^16.
  %before = atomicrmw add ptr @gate, i64 4295032832 seq_cst
  %others = sub i64 %groups, %chunk
  call void @wake(i64 %others, i64 %chunk)
  call void @work()
  %closing = atomicrmw sub ptr @gate, i64 65536 seq_cst
  %inside = and i64 %closing, 65535
  %finished = icmp eq i64 %inside, 0
  br i1 %finished, label %done, label %await

await:
  call void @await_workers()
  br label %done

done:
  store atomic i64 0, ptr @busy release, align 8
  ret void
}

; A worker thread's life: wait for a job, come in, work, go out.
define void @sm_worker() {
entry:
  br label %wait

wait:
  %last = phi i64 [ 0, %entry ], [ %last, %came_late ], [ %number, %came_out ], [ %hint_number, %hint ]
  %gate = call i64 @await_job(i64 %last)
  %stop_bit = and i64 %gate, 131072
  %stopped = icmp ne i64 %stop_bit, 0
  br i1 %stopped, label %return, label %hint

hint:
  ; Nothing left to take, as far as can be seen from outside: this job is not worth coming in.
  %hint_number = lshr i64 %gate, 32
  %hint_next = load atomic i64, ptr @next monotonic, align 8
  %hint_groups = load atomic i64, ptr getelementptr (%job, ptr @job, i32 0, i32 2) monotonic, align 8
  %left = icmp ult i64 %hint_next, %hint_groups
  br i1 %left, label %come_in, label %wait

come_in:
  %old = atomicrmw add ptr @gate, i64 1 seq_cst
  %open_bit = and i64 %old, 65536
  %open = icmp ne i64 %open_bit, 0
  br i1 %open, label %inside, label %came_late

came_late:
  call void @go_out()
  br label %wait

inside:
  %number = lshr i64 %old, 32
  %chunk = load i64, ptr getelementptr (%job, ptr @job, i32 0, i32 3)
  %groups = load i64, ptr getelementptr (%job, ptr @job, i32 0, i32 2)
  %taken = load atomic i64, ptr @next monotonic, align 8
  %rest = sub i64 %groups, %taken
  %others = sub i64 %rest, %chunk
  call void @wake(i64 %others, i64 %chunk)
  call void @work()
  call void @go_out()
  br label %came_out

came_out:
  br label %wait

return:
  ret void
}

; Takes chunks of the open job and runs them until there are none.
define internal void @work() {
start:
  %entry = load ptr, ptr @job
  %arguments = load ptr, ptr getelementptr (%job, ptr @job, i32 0, i32 1)
  %groups = load i64, ptr getelementptr (%job, ptr @job, i32 0, i32 2)
  %chunk = load i64, ptr getelementptr (%job, ptr @job, i32 0, i32 3)
  br label %take

take:
  %begin = atomicrmw add ptr @next, i64 %chunk monotonic
  %more = icmp ult i64 %begin, %groups
  br i1 %more, label %run, label %done

run:
  %full_end = add i64 %begin, %chunk
  %end = call i64 @llvm.umin.i64(i64 %full_end, i64 %groups)
  call void %entry(ptr %arguments, i64 %begin, i64 %end)
  br label %take

done:
  ret void
}

; Waits for a job with another number than %last that is open, or for the stop; gives the gate.
define internal i64 @await_job(i64 %last) {
start:
  %rounds = load i64, ptr @spins
  br label %spin

spin:
  %left = phi i64 [ %rounds, %start ], [ %fewer, %again ]
  %seen = load atomic i64, ptr @gate acquire, align 8
  %ready = call i1 @is_for_worker(i64 %seen, i64 %last)
  br i1 %ready, label %found, label %tired

tired:
  %over = icmp eq i64 %left, 0
  br i1 %over, label %sleep, label %again

again:
  call void @relax()
  %fewer = sub i64 %left, 1
  br label %spin

sleep:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %sleeping = atomicrmw add ptr @sleepers, i64 1 seq_cst
  br label %look

look:
  %now = load atomic i64, ptr @gate seq_cst, align 8
  %ready_now = call i1 @is_for_worker(i64 %now, i64 %last)
  br i1 %ready_now, label %awake, label %doze

doze:
  %woken = call i32 @pthread_cond_wait(ptr @work_there, ptr @mutex)
  br label %look

awake:
  %fewer_sleeping = atomicrmw sub ptr @sleepers, i64 1 seq_cst
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %found

found:
  %gate = phi i64 [ %seen, %spin ], [ %now, %awake ]
  ret i64 %gate
}

; Whether a worker whose last job was %last has something to do: another job is open, or the stop.
define internal i1 @is_for_worker(i64 %gate, i64 %last) alwaysinline {
  %number = lshr i64 %gate, 32
  %other = icmp ne i64 %number, %last
  %open_bit = and i64 %gate, 65536
  %open = icmp ne i64 %open_bit, 0
  %job = and i1 %other, %open
  %stop_bit = and i64 %gate, 131072
  %stop = icmp ne i64 %stop_bit, 0
  %ready = or i1 %job, %stop
  ret i1 %ready
}

; Wakes up to two sleepers, if that many chunks wait for them. Each worker that comes in wakes two
; more, so that many workers are up after few steps and the owner pays for two of them only.
define internal void @wake(i64 %groups, i64 %chunk) {
start:
  %one = icmp sgt i64 %groups, 0
  br i1 %one, label %count, label %none

count:
  %sleeping = load atomic i64, ptr @sleepers seq_cst, align 8
  %asleep = icmp ne i64 %sleeping, 0
  br i1 %asleep, label %first, label %none

first:
  ; Who counts as a sleeper and does not wait yet holds the mutex; after this it waits.
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  %woken = call i32 @pthread_cond_signal(ptr @work_there)
  %two = icmp sgt i64 %groups, %chunk
  %two_asleep = icmp ugt i64 %sleeping, 1
  %both = and i1 %two, %two_asleep
  br i1 %both, label %second, label %none

second:
  %woken_too = call i32 @pthread_cond_signal(ptr @work_there)
  br label %none

none:
  ret void
}

; A worker leaves the job; the last one out of a closed job wakes its owner.
define internal void @go_out() {
start:
  %old = atomicrmw sub ptr @gate, i64 1 seq_cst
  ; The last, and closed: one worker inside and the open bit not set.
  %state = and i64 %old, 131071
  %last = icmp eq i64 %state, 1
  br i1 %last, label %look, label %done

look:
  %waits = load atomic i64, ptr @owner_waits seq_cst, align 8
  %sleeping = icmp ne i64 %waits, 0
  br i1 %sleeping, label %signal, label %done

signal:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %woken = call i32 @pthread_cond_signal(ptr @work_done)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %done

done:
  ret void
}

; The owner of a closed job waits until nobody is inside.
define internal void @await_workers() {
start:
  %rounds = load i64, ptr @spins
  br label %spin

spin:
  %left = phi i64 [ %rounds, %start ], [ %fewer, %again ]
  %seen = load atomic i64, ptr @gate acquire, align 8
  %inside = and i64 %seen, 65535
  %empty = icmp eq i64 %inside, 0
  br i1 %empty, label %done, label %tired

tired:
  %over = icmp eq i64 %left, 0
  br i1 %over, label %sleep, label %again

again:
  call void @relax()
  %fewer = sub i64 %left, 1
  br label %spin

sleep:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  store atomic i64 1, ptr @owner_waits seq_cst, align 8
  br label %look

look:
  %now = load atomic i64, ptr @gate seq_cst, align 8
  %inside_now = and i64 %now, 65535
  %empty_now = icmp eq i64 %inside_now, 0
  br i1 %empty_now, label %awake, label %doze

doze:
  %woken = call i32 @pthread_cond_wait(ptr @work_done, ptr @mutex)
  br label %look

awake:
  store atomic i64 0, ptr @owner_waits seq_cst, align 8
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %done

done:
  ret void
}
