"""Corpora: download, unpack, and assign utterances to sets. Stage 1 and the prepare.py of each recipe use it."""
