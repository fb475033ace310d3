"""The checks that run as a function: a module each with ``examine(task) -> Finding``.

Each runs in a process of its own (:mod:`speedmetal.doctor.worker`). An exception that leaves
``examine`` is a failure of the check, with the traceback as its output.
"""
