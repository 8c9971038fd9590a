"""Data for speech synthesis: acoustic features, durations and batches."""
