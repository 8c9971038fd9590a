#!/usr/bin/env bash
# The one test command: style, import floors, tests; installs what they need first. Options go to pytest:
#   test/run.sh -k lora -x
# Files of tests are shared out over the cores; -n 0 runs all in one process.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
. utils/environment.sh
use_environment ark,convert,espeak,test,tts

python -m ruff check .
python -m ruff format --check --quiet .
python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
python -m pytest -n auto --dist loadfile --no-loadscope-reorder "$@"  # long files do not come last
