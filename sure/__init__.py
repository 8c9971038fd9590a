"""SURE: parameter-efficient transfer learning of frozen speech encoders, as recipes."""

__version__ = "0.1.0"
