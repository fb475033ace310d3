"""The names of the targets, for everything that has a cell for each of them."""

TARGETS = ("cpu", "cuda", "metal")
"""Each is a folder in :mod:`speedmetal.backends`, whose ``target.py`` has its record."""
