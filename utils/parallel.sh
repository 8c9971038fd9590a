# shellcheck shell=bash
# Things that run beside this shell, and are stopped with it. Whoever asks it to stop (INT, TERM, HUP) stops what it has
# started, with TERM, and it ends when they have; USR1, with which Slurm says that the time is nearly up, is passed on.

stopped_by=""  # INT, TERM or HUP, once it came
warned=false   # whether USR1 came

# attended COMMAND...: runs it; the status is the command's. It runs in the background, since bash hears nothing while it
# waits for a command in front.
attended() {
  local heard="" as_groups="" parallel_status=0
  local -a started
  "$@" </dev/null &
  started=($!)
  listen
  collect_statuses 0
  trap - INT TERM HUP
  return "$parallel_status"
}

# in_parallel MAX FUNCTION ITEM...: runs `FUNCTION ITEM` for every item, at most MAX at once; all of them, also after one
# has failed. Sets parallel_status to 0 or the status of the first that failed. (It does not return it: a caller that asked
# for it with || or `if` would switch off `set -e` in everything that FUNCTION does.)
in_parallel() {
  local max=$1 run=$2 item heard="" as_groups=-
  local -a started=()  # process groups whose status has not been asked for
  shift 2
  listen
  parallel_status=0
  for item; do
    collect_statuses $((max - 1))
    if [[ -n $heard ]]; then parallel_status=$((parallel_status == 0 ? 75 : parallel_status)); break; fi
    set -m  # a process group for each, so that one signal reaches all that it started
    "$run" "$item" </dev/null &
    set +m
    started+=($!)
  done
  collect_statuses 0
  trap - INT TERM HUP
  [[ -z $stopped_by ]] || exit "$(stop_status)"
}

# collect_statuses LEFT: waits until at most LEFT of `started` run. The status of one that has ended is asked for at once:
# bash forgets it when a later process of its own happens to get the same number. And not before: a `wait` that a signal
# interrupts just when the process ends loses its status, and the next one waits for ever.
collect_statuses() {
  local running process pause=0.05 rounds=0
  local -a still
  while true; do
    running=$(jobs -pr && echo all) || continue  # a signal to the whole process group ends this too
    running=" ${running//$'\n'/ } " still=()
    for process in "${started[@]}"; do
      if [[ $running == *" $process "* ]]; then still+=("$process"); continue; fi
      wait "$process" || parallel_status=$((parallel_status == 0 ? $? : parallel_status))
    done
    started=("${still[@]}")
    ((${#started[@]} > $1)) || return 0
    ((++rounds < 20)) || pause=0.5
    sleep "$pause" || true  # Ctrl-C in a terminal ends it too
  done
}

# listen: has the signals passed on to `started`, processes or, with as_groups=-, process groups; `heard` has their names.
listen() {
  local name
  # shellcheck disable=SC2064 # the name of now
  for name in INT TERM HUP USR1; do trap "hear $name" "$name"; done
}

hear() {
  local signal=TERM process
  heard+=" $1"
  if [[ $1 == USR1 ]]; then
    signal=USR1 warned=true
  elif [[ $1 == INT && $stopped_by == INT ]]; then
    exit 130  # asked twice: not waiting for what has been told
  else
    stopped_by=$1
  fi
  for process in "${started[@]}"; do kill -s "$signal" -- "$as_groups$process" 2>/dev/null || true; done
}

stop_status() { printf '%s\n' $((128 + $(kill -l "$stopped_by"))); }
