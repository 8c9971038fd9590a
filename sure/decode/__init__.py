"""Decoding: a trained model turns audio into text, labels or embeddings, or text into speech."""
