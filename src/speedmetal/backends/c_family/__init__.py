"""The printer of C++-like source that the Metal and CUDA targets share.

``layout`` says how a launch passes arguments, ``expressions`` and ``statements`` turn the IR into
text, ``helpers`` and ``atomics`` hold the functions that are printed only where they are used,
``check`` finds what a target cannot do. A target adds a :class:`~.dialect.Dialect`, its words as
tables, and a subclass of :class:`~.kernels.KernelPrinter`: its threads, memory and simdgroups.
"""
