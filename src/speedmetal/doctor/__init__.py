"""``speedmetal doctor``: checks all of speedmetal on this machine, and writes one file about it.

Every check runs in a process of its own, so that a crash or a hang of one says something about that
one alone. What was found is written after each check: whatever happens, the file has what there is.
"""
