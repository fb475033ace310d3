"""Saving arrays, and loading them."""
