"""Where elements are in memory: layouts, views of them, and copies."""
