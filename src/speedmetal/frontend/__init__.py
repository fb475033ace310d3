"""The front end: from a Python function to the typed IR."""
