"""Vocoders: log mel spectrograms to waveforms."""
