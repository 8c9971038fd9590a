"""Scores of decoded output against references."""
