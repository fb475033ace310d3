"""The mailbox: the buffer through which a running kernel reports failures and prints.

One buffer of 32-bit words for a launch, present only where a kernel asserts or prints. The first
thread that fails owns the failure words; prints append records until the buffer is full, and
count on, so that the host can say how many were lost. All targets share this layout:

    word 0        0 while nothing failed; a failing thread exchanges it for 1, and owns words 1-10
                  if the old value was 0
    word 1        number of the failed site (an index into the kernel's asserts, in program order)
    words 2-4     thread_position_in_threadgroup x, y, z      (written at debug level 2)
    words 5-7     threadgroup_position_in_grid x, y, z        (written at debug level 2)
    word 8        words that prints have asked for so far (atomically added to)
    word 9        capacity of the print area, in words
    word 10       reserved
    words 11...   print records: number of the print site, then two words (low, high) for each
                  value: the bits of a float64, of a sign-extended int64 or of a zero-extended
                  uint64; bool is 0 or 1
"""

from __future__ import annotations

FAILED = 0
SITE = 1
THREAD = 2
THREADGROUP = 5
PRINT_CURSOR = 8
PRINT_CAPACITY = 9
PRINT_AREA = 11

DEFAULT_CAPACITY_WORDS = 1 << 18
"""Room for prints: 1 MiB, 87,381 lines with one value each."""
