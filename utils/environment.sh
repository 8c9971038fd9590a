# shellcheck shell=bash
# The Python environment: which one is used, whether it is complete, and its activation.
# Needs `root`, the project's folder. An environment is complete when its mark, written last by tools/install.sh, has the
# digest of the requirements and the extras; nothing has to be imported to check it.

. "$root/utils/forks.sh"

# active_environment: prints the folder of the active environment; conda's base does not count.
active_environment() {
  if [[ -n ${VIRTUAL_ENV-} ]]; then
    printf '%s\n' "$VIRTUAL_ENV"
  elif [[ -n ${CONDA_PREFIX-} && ${CONDA_DEFAULT_ENV-} != base ]]; then
    printf '%s\n' "$CONDA_PREFIX"
  fi
}

environment_mark() { printf '%s/.sure-installed\n' "$1"; }

# project_digest: prints the digest of pyproject.toml without the settings of tools.
project_digest() { sed -n '/^\[tool\./q;p' "$root/pyproject.toml" | sha256sum | cut -d ' ' -f 1; }

# marked_extras ENVIRONMENT: prints the extras in its mark, also if the requirements have changed since.
marked_extras() {
  local mark
  mark=$(environment_mark "$1")
  [[ -x $1/bin/python && -f $mark ]] && sed -n 2p "$mark"
}

# is_installed ENVIRONMENT EXTRAS: whether it is complete, with all of the comma-separated extras.
is_installed() {
  local have extra
  [[ -n $1 ]] && have=$(marked_extras "$1") || return 1
  [[ $(head -n 1 "$(environment_mark "$1")") == "$(project_digest)" ]] || return 1
  for extra in ${2//,/ }; do
    [[ ,$have, == *",$extra,"* || ($extra == ark && ,$have, == *,ark-mit,*) ]] || return 1
  done
}

# complete_environment EXTRAS: prints the folder of the environment that is complete, the active one first, or fails.
complete_environment() {
  local folder
  for folder in "$(active_environment)" "$root/.venv"; do
    if is_installed "$folder" "$1"; then printf '%s\n' "$folder"; return; fi
  done
  return 1
}

# use_environment EXTRAS: activates the environment, after installing it if necessary.
use_environment() {
  local active folder
  if ! folder=$(complete_environment "$1"); then
    bash "$root/tools/install.sh" --extras "$1"
    active=$(active_environment)
    folder=${active:-$root/.venv}
  fi
  export PATH="$folder/bin:$PATH" PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
  # Each training step allocates the memory again that the step before has freed: returning it to the kernel in between
  # costs 5 to 8 % of the time. 32 MiB is the largest value of the first that every glibc accepts; other C libraries
  # ignore both.
  export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_-33554432} MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_-8589934592}
}

# fits PYTHON: whether it exists and has a version that SURE supports.
fits() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }

# ask_python WORD...: calls Python for a module or a line that needs no installed package, also before the installation.
ask_python() {
  local python
  for python in "$(active_environment)/bin/python" "$root/.venv/bin/python" python3 python3.{13..10}; do
    if fits "$python"; then
      PYTHONPATH=$root "$python" -S "$@"
      return
    fi
  done
  usage_error "no Python from 3.10 to 3.13 was found; install one"
}
