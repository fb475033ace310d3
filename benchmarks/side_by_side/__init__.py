"""Contenders side by side: proved, timed in random rounds, and written into a page."""
