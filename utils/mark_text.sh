# shellcheck shell=bash
# The text of a mark (utils/marks.sh): its making, and its comparison with the mark.

declare -A looked=()  # folder: its digest; data folder: a recording that changed, or `same`; until a step runs
large_bytes=$((64 * 1024 * 1024))

# look: sets `looked` for the folders and sets of a step.
look() {
  local path found
  local -a unknown=() new_sets=()
  for path in "${input_folders[@]}"; do [[ -n ${looked[$path]-} ]] || unknown+=("$path"); done
  for path in "${input_sets[@]}"; do [[ -n ${looked[$path]-} ]] || new_sets+=("$path"); done
  if ! ((${#unknown[@]} + ${#new_sets[@]})); then return; fi
  found=$(ask_python -m sure.bin.inputs --folders "${unknown[@]}" --sets "${new_sets[@]}")
  for path in "${unknown[@]}" "${new_sets[@]}"; do
    looked[$path]=${found%%$'\n'*} found=${found#*$'\n'}
  done
}

# describe_step: prints the text of a mark: the command, and every input with its digest.
describe_step() {
  local path bytes time text
  local -a there=() small=()
  text="command  $step_command"
  for path in "${inputs[@]}"; do
    if [[ -e $path ]]; then there+=("$path"); else text+=$'\n'"missing  $path"; fi
  done
  if ((${#there[@]})); then
    while read -r bytes time path; do
      if ((bytes > large_bytes)); then text+=$'\n'"$bytes bytes, time $time  $path"; else small+=("$path"); fi
    done < <(stat -L -c '%s %Y %n' "${there[@]}")
  fi
  if ((${#small[@]})); then text+=$'\n'$(sha256sum "${small[@]}"); fi
  for path in "${input_folders[@]}"; do text+=$'\n'"digest ${looked[$path]}  $path"; done
  for path in "${input_sets[@]}"; do [[ ${looked[$path]} == same ]] || text+=$'\n'"changed  ${looked[$path]}"; done
  for path in "${input_tables[@]}"; do [[ ! -f $path ]] || text+=$'\n'"digest $(sha256sum "$path")"; done
  for path in "${code_files[@]}"; do [[ ! -f $path ]] || text+=$'\n'"code $(sha256sum "$path")"; done
  printf '%s\n' "${text//"$root"/ROOT}"  # so that a clone that was moved stays finished
}

# compared TEXT OTHER: prints the lines of one text of a mark that count in its comparison with the other: not those of
# code, nor digests of files and folders that the other does not have.
compared() {
  local line
  while IFS= read -r line; do
    if [[ $line == digest* && $2$'\n' != *"  ${line#*  }"$'\n'* ]]; then continue; fi
    [[ $line == code* ]] || printf '%s\n' "$line"
  done <<<"$1"
}

# holds MARK TEXT: whether the step has finished with these inputs and settings.
holds() {
  local output mark
  [[ -f $1 ]] || return 1
  mark=$(<"$1")
  [[ $mark == "$2" || $(compared "$mark" "$2") == "$(compared "$2" "$mark")" ]] || return 1
  for output in "${outputs[@]}"; do [[ -e $output ]] || return 1; done
}

# changed_inputs MARK TEXT: prints the lines of TEXT that count and that the mark does not have.
changed_inputs() { compared "$2" "$(<"$1")" | grep -vxF -f "$1" || true; }

# of_code MARK TEXT: prints the code lines of the mark or, if an earlier version wrote the mark, those of TEXT.
of_code() { grep '^code ' "$1" || grep '^code ' <<<"$2" || true; }

# other_code MARK TEXT: prints which code has changed since the step has finished.
other_code() {
  local changed
  changed=$(grep '^code ' <<<"$2" | grep -vxF "$(of_code "$1" "$2")" | sed 's/.*  ROOT.//') || return 0
  printf ', before %s changed' "${changed//$'\n'/, }"
}

# reason MARK TEXT: prints why a step runs again that had finished before.
reason() {
  local changed
  [[ -f $1 ]] || return 0
  changed=$(changed_inputs "$1" "$2")
  case $changed in
    "") if [[ $forced == true ]]; then printf ', again: asked for'; else printf ', again: an output is missing'; fi ;;
    command*) printf ', again: its settings changed' ;;
    *) changed=${changed%%$'\n'*}; printf ', again: %s changed' "${changed##*  }" ;;
  esac
}
