# shellcheck shell=bash
# Commands that run on this machine at the same time share its GPUs: each command gets one, or as many as it asks for.

# list_gpus: sets `visible` to the GPUs that commands may use.
list_gpus() {
  if [[ -v CUDA_VISIBLE_DEVICES ]]; then
    IFS=, read -ra visible <<<"$CUDA_VISIBLE_DEVICES"
  else
    mapfile -t visible < <(nvidia-smi --query-gpu=uuid --format=csv,noheader 2>/dev/null)
  fi
}

# take_gpus COUNT: sets CUDA_VISIBLE_DEVICES to COUNT of the visible GPUs, those with the fewest commands first. Each
# command locks one file for each of its GPUs. Its processes inherit the open files, so the locks last as long as they do.
# With at most COUNT visible GPUs, nothing changes.
take_gpus() {
  local folder=${TMPDIR:-/tmp}/sure_gpus_$UID${SLURM_JOB_ID:+_$SLURM_JOB_ID} level gpu lock choice IFS=,
  local -a visible taken=()
  [[ $1 =~ ^[1-9] ]] && command -v flock >/dev/null || return 0
  list_gpus
  ((${#visible[@]} > $1)) && mkdir -p "$folder" && [[ -O $folder ]] || return 0
  exec {choice}>>"$folder/choice"
  flock "$choice" || return 0  # one launcher at a time, so that several GPUs are neighbours
  for ((level = 0; level < 1000; level++)); do  # at level 1, every GPU has a command already
    for gpu in "${visible[@]}"; do
      [[ ,${taken[*]}, != *,"$gpu",* ]] || continue
      exec {lock}>>"$folder/$gpu.$level"
      if ! flock -n "$lock"; then exec {lock}>&-; continue; fi
      taken+=("$gpu")
      ((${#taken[@]} < $1)) || break 2
    done
  done
  exec {choice}>&-
  export CUDA_VISIBLE_DEVICES="${taken[*]}"
}
