"""Export to and import from PEFT adapters and transformers models; neither library has to be installed."""
