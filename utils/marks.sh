# shellcheck shell=bash
# Steps: commands that write a mark when they have finished, and are skipped while the mark is valid.
#
# A step is one command of a stage, for one data set or one experiment. Before calling `step`, its stage sets
#   inputs         files it reads             outputs       files or folders it writes
#   input_folders  folders it reads           input_sets    data folders whose recordings it reads from the corpus
#   input_tables   files it reads if they exist, and that marks of earlier versions do not have
#   code_files     files of its code; changes are reported, but do not count
#   resources      options for the launcher   when_redone   words added when the user asks for the finished step again
#   here           true: run on this machine whatever --launch is: it needs the network, or is too short for a queue
# The mark FOLDER/.marks/NAME lists the command and a digest of each input; it is valid while these are unchanged and the
# outputs exist. Large inputs and the audio in folders count by size and time (sure/recipe/inputs.py). A digest that the
# mark does not have, because an earlier version wrote the mark, does not count and is added.

. "$root/utils/mark_text.sh"

declare -a inputs=() input_folders=() input_sets=() input_tables=() code_files=() outputs=() resources=() when_redone=()
here=false

# step FOLDER NAME COMMAND...: runs the command through the launcher, or prints that it is finished.
step() {
  local mark=$1/.marks/$2 log=$1/log/$2.log start=$SECONDS where=$launch now lock
  local -a command=("${@:3}")
  step_name="$1 $2" step_command=$(quoted "${command[@]}")
  if [[ $dry_run == true && ! -e $mark ]]; then input_folders=() input_sets=(); fi  # nothing to compare
  look
  now=$(describe_step)
  if [[ $dry_run == true ]]; then
    dry_step "$mark" "$now"
    quoted "${command[@]}"
    clear_step
    return
  fi
  mkdir -p "$1/.marks" "$1/log"
  exec {lock}>>"$mark.lock"
  wait_for_lock "$lock" "$mark.lock"
  if [[ $forced == false ]] && holds "$mark" "$now"; then
    if [[ $(<"$mark") == "$now" ]]; then
      printf '  skip %s: finished\n' "$step_name"
    else
      printf '  skip %s: finished%s\n' "$step_name" "$(other_code "$mark" "$now")"
      write_mark "$mark" "$(grep -v '^code ' <<<"$now"; of_code "$mark" "$now")"
    fi
  else
    printf '  %s%s\n' "$step_name" "$(reason "$mark" "$now")"
    check_kept "$mark" "$now"
    if [[ $forced == true && -e $mark ]]; then command+=("${when_redone[@]}"); fi
    if [[ $forced == true || ${#when_redone[@]} -eq 0 ]]; then rm -f "$mark"; fi
    step_log=$log step_command=$(quoted "${command[@]}")
    if [[ $here == true ]]; then where=local; fi
    attended bash "$root/utils/launch/$where.sh" "${job_words[@]}" "${resources[@]}" "$log" "${command[@]}"
    [[ -z $stopped_by ]] || exit "$(stop_status)"
    looked=()
    check_outputs
    write_mark "$mark" "$now"
    printf '  %s: done in %s s\n' "$step_name" $((SECONDS - start))
  fi
  exec {lock}>&-
  clear_step
}

clear_step() {
  inputs=() input_folders=() input_sets=() input_tables=() code_files=() outputs=() resources=() when_redone=()
  here=false step_name="" step_command="" step_log=""
}

# write_mark MARK TEXT: writes the text of a step that has finished.
write_mark() {
  grep -v '^changed ' <<<"$2" >"$1.new"
  mv "$1.new" "$1"
}

# check_kept MARK TEXT: an error where data of a finished training have changed, so that it is not repeated unasked. (For
# changed settings the command itself decides, because it knows which of them matter.)
check_kept() {
  local changed name=${step_name##* }
  if [[ $forced == true || ! -f $1 || ${#when_redone[@]} -eq 0 ]]; then return; fi
  changed=$(kept_from "$1" "$2")
  [[ -z $changed ]] || stop_here "${step_name% *} had finished before $changed changed; to make it again:" \
    "--stage ${name%%_*}; to keep it, name the new one: --tag NAME"
}

# kept_from MARK TEXT: prints the data that changed since a training has finished; none for its settings and code.
kept_from() {
  local changed
  changed=$(changed_inputs "$1" "$2" | sed -e '/^command /d' -e '/  conf\//d' -e 's/.*  //')
  printf '%s' "${changed//$'\n'/, }"
}

check_outputs() {
  local output
  for output in "${outputs[@]}"; do
    [[ -e $output ]] || stop_here "the command ended without an error, but did not write $output"
  done
}

# wait_for_lock DESCRIPTOR FILE: waits for another run, or processes of a killed run, that still work on the step. All
# processes of a step keep the file open, so that the lock is free when the last of them has ended.
wait_for_lock() {
  if ! command -v flock >/dev/null || flock -n "$1"; then return; fi
  printf '  waiting for another run that works on %s (fuser shows it: %s)\n' "$step_name" "$recipe/$2"
  flock "$1" || true
}
