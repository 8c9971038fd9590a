"""Kinds of models: what training, decoding, scoring and inference do for each; one file a kind, found by its name."""
