"""The random transformers models of test/backbones are the judges here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
sys.path.insert(0, str(Path(__file__).parent))
