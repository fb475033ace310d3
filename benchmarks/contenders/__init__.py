"""How each framework computes each case: one module per framework, one table in each.

A table maps a case's name to ``{variant: prepare}``; a text in place of ``prepare`` says why there
is none. `prepare(inputs)` gives a :class:`~side_by_side.contender.Ready`.
"""
