"""Reductions, scans, softmax and their like, along axes."""
