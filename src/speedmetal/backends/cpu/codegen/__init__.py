"""Typed IR to LLVM assembly: explicit SIMD, a vector holds consecutive threads.

Folders, each of which knows those above it in this list alone:

* ``decisions``: how a kernel is taken apart and how values vary; nothing is written.
* ``operations``: values in scalars and vectors, and what one instruction or a few do with them.
* ``threads``: expressions and statements, for the lanes of one vector.
* ``threadgroups``: loops over vectors and threadgroups, and what is between barriers.
"""
