"""From files on disk to padded batches of 16 kHz mono waveforms."""
