# shellcheck shell=bash
# The Python environment: which one is used, whether it is installed, and how scripts enter it.
# Needs `root`, the project's folder. An environment is installed when its mark, written last by tools/install.sh,
# has the digest of the requirements and the extras; so nothing has to be imported to know it.

# active_environment: prints the folder of the environment that is active; conda's base is left alone.
active_environment() {
  if [[ -n ${VIRTUAL_ENV-} ]]; then
    printf '%s\n' "$VIRTUAL_ENV"
  elif [[ -n ${CONDA_PREFIX-} && ${CONDA_DEFAULT_ENV-} != base ]]; then
    printf '%s\n' "$CONDA_PREFIX"
  fi
}

environment_mark() { printf '%s/.sure-installed\n' "$1"; }

# project_digest: of what pyproject.toml says before the settings of tools.
project_digest() { sed -n '/^\[tool\./q;p' "$root/pyproject.toml" | sha256sum | cut -d ' ' -f 1; }

# installed_extras ENVIRONMENT: prints the extras that its mark names, when the mark is of this pyproject.toml.
installed_extras() {
  local mark digest extras
  mark=$(environment_mark "$1")
  [[ -x $1/bin/python && -f $mark ]] || return 1
  { read -r digest && read -r extras; } <"$mark" || return 1
  [[ $digest == "$(project_digest)" ]] || return 1
  printf '%s\n' "$extras"
}

# is_installed ENVIRONMENT EXTRAS: whether it is, with all of the comma-separated extras.
is_installed() {
  local have extra
  [[ -n $1 ]] && have=$(installed_extras "$1") || return 1
  for extra in ${2//,/ }; do
    [[ ,$have, == *",$extra,"* ]] || return 1
  done
}

# use_environment EXTRAS: makes `python` the environment's, after installing it where there is none.
use_environment() {
  local active folder
  active=$(active_environment)
  if is_installed "$active" "$1"; then
    folder=$active
  elif is_installed "$root/.venv" "$1"; then
    folder=$root/.venv
  else
    bash "$root/tools/install.sh" --extras "$1"
    folder=${active:-$root/.venv}
  fi
  export PATH="$folder/bin:$PATH" PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
  # What a training step frees, the next step takes again: given back to the kernel in between, it costs 5 to 8 % of the
  # time. 32 MiB is the most that every glibc takes for the first; other C libraries ignore both.
  export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_-33554432} MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_-8589934592}
}
