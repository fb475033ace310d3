"""Captures, labels and times of the GPU."""
