"""The tables of the hardest cases (`side_by_side/hard_cases.py`), one module per framework."""
