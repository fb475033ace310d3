"""``@sm.autotune``: which launch sizes and static parameters make a kernel fastest, measured.

what is stated -> configurations -> each run, proved, and measured -> a table, kept on disk
"""
