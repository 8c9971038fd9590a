"""What all tests share: one thread, so that they time and round alike everywhere."""

import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
for folder in (Path(__file__).parent, Path(__file__).parent / "contract"):
    sys.path.insert(0, str(folder))
