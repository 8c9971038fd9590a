"""The methods that docs/adding.md shows, put into a copy of the package as new files, pass the contract tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sure import registry

ROOT = Path(__file__).parents[2]
EXAMPLES = ("hadamard", "projected_lora")
NEEDED = {"bottleneck", "linear_probe", "lora", "modules", "prefix", "ssf", "weighted_sum"}  # others take time
CHECKS = " or ".join([*EXAMPLES, "fresh_process"])  # the test of saving and loading has no method in its name


def test_each_example_is_one_new_file_that_the_contract_tests_cover(tmp_path):
    page = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
    for folder in ("sure", "test/contract"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "test/conftest.py", tmp_path / "test/conftest.py")
    for name in set(registry.names("petl")) - NEEDED:
        (tmp_path / f"sure/petl/{name}.py").unlink()
    for name in EXAMPLES:
        code = re.search(rf"`sure/petl/{name}\.py`.*?```python\n(.*?)```", page, re.DOTALL)
        (tmp_path / f"sure/petl/{name}.py").write_text(code[1], encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "--import-mode=importlib", "test/contract", "-k", CHECKS]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in EXAMPLES:
        passed = len(re.findall(rf"\b{name}\b.* PASSED", done.stdout))
        assert passed >= 3 * 7, name  # start, training and padding in five families, a large shape and synthesis
