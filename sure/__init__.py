"""SURE: parameter-efficient transfer learning of frozen speech encoders, as recipes."""

__version__ = "0.1.0"
SAMPLE_RATE = 16000  # Hz, of all audio except in speech synthesis; the backbones were trained on it
