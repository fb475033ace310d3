"""Sorting and what follows from order: sets, histograms, interpolation."""
