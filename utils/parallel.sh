# shellcheck shell=bash
# Background processes that stop with this shell. On INT, TERM or HUP the shell sends them TERM, waits for their end and
# ends too. USR1, Slurm's warning before the time limit, is passed on.

stopped_by=""  # INT, TERM or HUP, once received
warned=false   # whether USR1 was received

# attended COMMAND...: runs the command in the background and returns its status. (Bash handles no signals while it waits
# for a command in the foreground.)
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

# in_parallel MAX FUNCTION ITEM...: runs `FUNCTION ITEM` for every item, also after a failure, at most MAX at once. Sets
# parallel_status to 0 or the status of the first failure. (A returned status would be tested with || or `if`, and that
# switches off `set -e` inside of FUNCTION.)
in_parallel() {
  local max=$1 run=$2 item heard="" as_groups=-
  local -a started=()  # process groups without a known status
  shift 2
  listen
  parallel_status=0
  for item; do
    collect_statuses $((max - 1))
    if [[ -n $heard ]]; then parallel_status=$((parallel_status == 0 ? 75 : parallel_status)); break; fi
    set -m  # a process group for each item, so that one signal reaches all its processes
    "$run" "$item" </dev/null &
    set +m
    started+=($!)
  done
  collect_statuses 0
  trap - INT TERM HUP
  [[ -z $stopped_by ]] || exit "$(stop_status)"
}

# collect_statuses LEFT: waits until at most LEFT of `started` run. `wait` is called as soon as a process has ended: bash
# forgets the status when a later process gets the same number. It is not called earlier: a `wait` that a signal interrupts
# while the process ends loses the status, and the next `wait` never returns.
collect_statuses() {
  local running process pause=0.05 rounds=0
  local -a still
  while true; do
    running=$(jobs -pr && echo all) || continue  # fails when a signal reaches the whole process group
    running=" ${running//$'\n'/ } " still=()
    for process in "${started[@]}"; do
      if [[ $running == *" $process "* ]]; then still+=("$process"); continue; fi
      wait "$process" || parallel_status=$((parallel_status == 0 ? $? : parallel_status))
    done
    started=("${still[@]}")
    ((${#started[@]} > $1)) || return 0
    ((++rounds < 20)) || pause=0.5
    sleep "$pause" || true  # Ctrl-C in a terminal ends sleep too
  done
}

# listen: passes signals on to `started` (processes, or process groups with as_groups=-), adds their names to `heard`.
listen() {
  local name
  # shellcheck disable=SC2064 # expanded now
  for name in INT TERM HUP USR1; do trap "on_signal $name" "$name"; done
}

on_signal() {
  local signal=TERM process
  heard+=" $1"
  if [[ $1 == USR1 ]]; then
    signal=USR1 warned=true
  elif [[ $1 == INT && $stopped_by == INT ]]; then
    exit 130  # the second Ctrl-C does not wait
  else
    stopped_by=$1
  fi
  for process in "${started[@]}"; do kill -s "$signal" -- "$as_groups$process" 2>/dev/null || true; done
}

stop_status() { printf '%s\n' $((128 + $(kill -l "$stopped_by"))); }
