# shellcheck shell=bash
# Several things at the same time, stopped together.

# in_parallel MAX FUNCTION ITEM...: runs `FUNCTION ITEM` for every item, at most MAX at once; all of them, also after one
# has failed. Sets parallel_status to 0 or the status of the first that failed. (It does not return it: a caller that asked
# for it with || or `if` would switch off `set -e` in everything that FUNCTION does.)
in_parallel() {
  local max=$1 run=$2 item
  local -a started=()  # process groups whose status has not been asked for
  shift 2
  trap 'stop_groups "${started[@]}"; exit 130' INT
  trap 'stop_groups "${started[@]}"; exit 143' TERM HUP
  parallel_status=0
  for item; do
    collect_statuses $((max - 1))
    set -m  # a process group for each, so that one signal reaches all that it started
    "$run" "$item" </dev/null &
    set +m
    started+=($!)
  done
  collect_statuses 0
  trap - INT TERM HUP
}

# collect_statuses LEFT: waits until at most LEFT of `started` run. The status of one that has ended is asked for at once:
# bash forgets it when a later process of its own happens to get the same number.
collect_statuses() {
  local running group
  local -a still
  while true; do
    running=" $(jobs -pr) " running=${running//$'\n'/ } still=()
    for group in "${started[@]}"; do
      if [[ $running == *" $group "* ]]; then still+=("$group"); continue; fi
      wait "$group" || parallel_status=$((parallel_status == 0 ? $? : parallel_status))
    done
    started=("${still[@]}")
    ((${#started[@]} > $1)) || return 0
    sleep 0.1
  done
}

stop_groups() {
  local group
  for group; do kill -TERM -- "-$group" 2>/dev/null || true; done
}
