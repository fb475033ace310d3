"""The Metal simulator: runs the text of Metal kernels on a CPU, and stands in for Apple's API.

``language`` turns Metal Shading Language into code of this machine, ``runtime`` runs it as a GPU
would (threadgroups, simdgroups, barriers), ``api`` offers it through the objects and selectors that
PyObjC has. What passes here is *simulated*; it has not run on Apple hardware.
"""
