"""Heads, losses and decoding; one file per task, found by its name."""
