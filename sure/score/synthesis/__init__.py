"""Metrics for synthesised speech."""
