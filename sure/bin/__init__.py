"""Thin entry points, one per stage; the work is in importable functions elsewhere."""
