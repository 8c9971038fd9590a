"""Training loop, checkpoints, experiment folders."""
