# shellcheck shell=bash
# Several things at the same time, stopped together.

# in_parallel MAX FUNCTION ITEM...: runs `FUNCTION ITEM` for every item, at most MAX at once; all of them, also after one
# has failed. Sets parallel_status to 0 or the status of the first that failed, in the order given. (It does not return
# it: a caller that asked for it with || or `if` would switch off `set -e` in everything that FUNCTION does.)
in_parallel() {
  local max=$1 run=$2 item
  local -a started=()
  shift 2
  trap 'stop_groups "${started[@]}"; exit 130' INT
  trap 'stop_groups "${started[@]}"; exit 143' TERM HUP
  for item; do
    while (($(jobs -pr | wc -l) >= max)); do sleep 0.1; done
    set -m  # a process group for each, so that one signal reaches all that it started
    "$run" "$item" </dev/null &
    set +m
    started+=($!)
  done
  parallel_status=0
  for item in "${started[@]}"; do
    wait "$item" || parallel_status=$((parallel_status == 0 ? $? : parallel_status))
  done
  trap - INT TERM HUP
}

stop_groups() {
  local group
  for group; do kill -TERM -- "-$group" 2>/dev/null || true; done
}
