"""Expressions and statements, for the lanes of one vector."""
