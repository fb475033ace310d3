"""The runtime of the simulator: C files that run compiled kernels, and what loads them.

The C files are compiled once with the simulator's toolchain and kept in the cache. Compiled kernels
call ``__smr_*`` (``abi.h``) and, when they are built to look for races, ``__tsan_*``; libraries of
kernels are linked with these names open. `library.runtime` loads the runtime with its names visible
to all libraries that are loaded later (``RTLD_GLOBAL``), so **call it before a kernel's library is
loaded**. Only these names and the functions of `library` are exported.

What a library of kernels must be compiled with:

- ``-fno-omit-frame-pointer`` and ``-fno-optimize-sibling-calls``, since the place of a barrier is
  told by its chain of return addresses; ``convergent`` and ``nomerge`` for the ``__smr_*``
  functions that wait.
- ``-mllvm -disable-block-placement -mllvm -disable-branch-fold``, so that branches stand before the
  place where they join: lanes that went different ways wait for each other in the code's order.
- Calls of ``__smr_loop_enter``, ``_turn`` and ``_leave`` around loops from which a barrier or a
  simdgroup function is reached. Without them, lanes in different turns of a loop are taken to be
  together.
- ``-fsanitize=array-bounds``, which calls the runtime, and ``-fsanitize=local-bounds``, which
  traps: no guard stands behind a thread's own arrays.
- ``-fno-finite-loops``, so that an endless loop is not taken for one that cannot be; ``-g1`` and
  ``#line 1 "program_source"`` for lines in messages (`lines`).

It must be loaded by `library.load_bytes`, or at least with ``RTLD_NOW``: the watchdog may leave a
kernel anywhere but inside the loader.

=========================  =========================================================
``interface.h``            what Python hands over and gets back
``state.h``                the state of a run, and how it all works
``run.c``                  dispatches, workers
``threadgroups.c``         the threadgroups and threads of a worker
``schedule.c``             fibers: which thread runs next
``exchange.c``             values that lanes show each other
``place.c``                places of the program
``switch.c``, ``stacks.c`` the machine's registers; memory of stacks
``threadgroup_memory.c``   arrays of threadgroups: poison and guards
``guarded.c``              device buffers: guards, and the bytes where none can be
``report.c``               what a report says of a thread; the end of a run from inside
``addresses.c``            what a report says of an address
``libraries.c``            which library an address is of
``signals.c``              faults become reports
``misaligned.c``           addresses of faults that the processor does not tell
``checks.c``               what programs call where a check of theirs fails
``watchdog.c``             the end of endless loops
``own_arrays.c``           bounds of a thread's own arrays, in programs that report accesses
``races.c``, ``tsan.c``    accesses that nothing orders, or that are out of bounds
``floats.c``               floating-point mode and conversions
``random.c``               orders
=========================  =========================================================
"""
