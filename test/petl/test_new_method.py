"""The method that docs/adding.md shows, put into a copy of the package as one new file, keeps every promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_one_new_file_is_a_method_that_the_contract_tests_cover(tmp_path):
    code = re.search(
        r"`sure/petl/hadamard\.py`.*?```python\n(.*?)```", (ROOT / "docs/adding.md").read_text(), re.DOTALL
    )
    for folder in ("sure", "test/contract"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "test/conftest.py", tmp_path / "test/conftest.py")
    (tmp_path / "sure/petl/hadamard.py").write_text(code[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "test/contract", "-k", "hadamard"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed >= 3 * 7  # identity, training, padding; in seven families
