"""Text: normalisation, tokenizers and label sets."""
