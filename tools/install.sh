#!/usr/bin/env bash
# Installs SURE into the active environment, or else into .venv at the project's root. Needs no root, only Python 3.10
# to 3.13; calling it again finishes what was interrupted, or does nothing.
#
#   tools/install.sh [--cpu] [--extras LIST] [--python PATH] [--force]
#
#   --cpu           PyTorch for the processor only: from the package index whose address is in SURE_TORCH_INDEX
#   --extras LIST   optional dependencies, separated by commas: datasets, espeak, judges, phones, serve, tts, test,
#                   track-mlflow, track-wandb, whisper-scores (rates after Whisper's text normalisation), ark-mit
#                   (replaces ark).
#                   convert and ark are always installed, because recipes need them
#   --python PATH   the Python that .venv is made of (default: the first of python3, python3.13 ... python3.10 that fits)
#   --force         install again, also when nothing has changed; a .venv is made anew
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
. "$root/utils/environment.sh"

say() { printf '# %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

# find_python: prints the first Python that fits and can make an environment.
find_python() {
  local name tried=""
  for name in ${python:+"$python"} python3 python3.13 python3.12 python3.11 python3.10; do
    if ! command -v "$name" >/dev/null; then continue; fi
    if ! fits "$name"; then
      tried+=$'\n'"  $name: $("$name" --version 2>&1 | head -n 1)"
    elif ! "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      tried+=$'\n'"  $name: fits, but makes no environments; its venv module is missing (Debian, Ubuntu: python3-venv)"
    else
      printf '%s\n' "$name"
      return
    fi
  done
  fail "no Python from 3.10 to 3.13 was found; install one, or name it with --python PATH.${tried:+ Tried:$tried}"
}

cpu=false extras=convert python="" force=false
while (($#)); do
  case $1 in
    --cpu) cpu=true; shift ;;
    --force) force=true; shift ;;
    --extras | --python)
      (($# > 1)) || fail "$1 needs a value"
      if [[ $1 == --extras ]]; then extras+=,$2; else python=$2; fi
      shift 2 ;;
    --help | -h) sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit ;;
    *) fail "unknown option $1; there are: --cpu --extras --python --force --help" ;;
  esac
done
known="ark ark-mit convert datasets espeak judges phones serve track-mlflow track-wandb tts test whisper-scores"
for extra in ${extras//,/ }; do
  [[ " $known " == *" $extra "* ]] || fail "no extra '$extra'; there are: $known"
done
if [[ ,$extras, != *,ark-mit,* ]]; then extras+=,ark; fi

active=$(active_environment)
folder=${active:-$root/.venv}
mark=$(environment_mark "$folder")
if [[ $force == true ]]; then rm -f "$mark"; fi
if is_installed "$folder" "$extras"; then
  say "$folder is up to date (--force installs again)"
  exit
fi
if [[ -n $active ]]; then
  fits "$active/bin/python" || fail "the active environment $active has no Python from 3.10 to 3.13; leave it (deactivate)"
elif [[ $force == true ]] || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1 || ! fits "$folder/bin/python"; then
  python=$(find_python)
  say "making $folder with $("$python" --version)"
  "$python" -m venv --clear "$folder"
fi
for extra in $(marked_extras "$folder" | tr , ' '); do  # of the last installation, except those that no longer exist
  if [[ " $known " == *" $extra "* ]]; then extras+=,$extra; fi
done
extras=$(tr , '\n' <<<"$extras" | sed '/^$/d' | LC_ALL=C sort -u | paste -sd ,)
if [[ ,$extras, == *,ark-mit,* ]]; then extras=${extras#ark,}; fi

install() { "$folder/bin/python" -m pip --disable-pip-version-check install --no-input "$@"; }

say "installing into $folder; PyTorch is several GB"
cd "$root"  # so that no path, which may have spaces, is in what pip has to parse
torch=("torch>=2.9,<2.15" "torchaudio>=2.9")  # as in pyproject.toml; torchaudio does not ask for its torch itself
if [[ $cpu == true && -z ${SURE_TORCH_INDEX-} ]]; then
  say "--cpu: SURE_TORCH_INDEX is not set to an index with CPU builds (PyTorch's site names it); taking the default build," \
    "which is larger and runs on the processor as well"
elif [[ $cpu == true ]] && ! install --index-url "$SURE_TORCH_INDEX" "${torch[@]}"; then
  say "--cpu: $SURE_TORCH_INDEX has no fitting PyTorch; taking the default build, which runs on the processor as well"
fi
install "${torch[@]}" --editable ".[$extras]"
if [[ ,$extras, == *,judges,* ]]; then
  install --no-deps resemblyzer==0.1.4  # its weights alone are used; what it depends on needs a compiler
fi
if [[ ,$extras, == *,ark,* ]]; then
  say "the extra ark is kaldiio, under NTT's evaluation licence; --extras ark-mit takes omniio (MIT) instead"
fi
"$folder/bin/python" tools/check_install.py || fail "the installation is not complete; what to do stands above"
printf '%s\n%s\n' "$(project_digest)" "$extras" >"$mark.new"
mv "$mark.new" "$mark"
say "done: $folder"
