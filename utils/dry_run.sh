# shellcheck shell=bash
# Steps of --dry_run true: which of them would be skipped. Needs marks.sh.

declare -a written=()  # marks of the steps that would run, and folders that they would write into

# dry_step MARK TEXT: prints whether the step is finished, or why it would run again or stop. A step that reads what an
# earlier step of the call would write is not finished.
dry_step() {
  local path folder waits=false kept="" again name=${step_name##* }
  for path in "${inputs[@]}" "${input_folders[@]}" "${input_sets[@]}"; do
    for folder in "${written[@]}"; do [[ $path/ != "$folder"/* ]] || waits=true; done
  done
  if [[ $forced == false && $waits == false ]] && holds "$1" "$2"; then
    printf '# finished, would be skipped:\n'
    return
  fi
  if [[ $forced == false && -f $1 ]]; then
    if ((${#when_redone[@]})); then kept=$(kept_from "$1" "$2"); fi
    again=$(reason "$1" "$2")
    if [[ -n $kept ]]; then
      printf '# stops: finished before %s changed; --stage %s makes it again, --tag NAME keeps it:\n' "$kept" "${name%%_*}"
    elif [[ $waits == true ]]; then
      :
    elif ((${#when_redone[@]})) && [[ $again != *missing ]]; then
      printf '# runs%s; stops if that changes the result: --stage %s makes it again, --tag NAME keeps it:\n' "$again" "${name%%_*}"
    else
      printf '# runs%s:\n' "$again"
    fi
  fi
  written+=("$1")
  for path in "${outputs[@]}"; do
    if [[ $path == */*/*.* ]]; then path=${path%/*}; fi  # a file among others in its folder
    written+=("$path")
  done
}
