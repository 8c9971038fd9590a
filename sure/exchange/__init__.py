"""To and from other libraries' files: PEFT's adapters and transformers' models. Neither library is needed."""
