"""How the text of a kernel says that it is of the fast mode."""

FAST_HEAD = "// To be compiled with --use_fast_math.\n"
"""What it begins with."""
