"""Loops over vectors and threadgroups, and what is between barriers."""
