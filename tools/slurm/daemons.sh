# shellcheck shell=bash
# Starts and stops the daemons of a Slurm on this machine, munged, slurmctld and slurmd, by their pid files. Needs `folder`.
export PATH=$PATH:/usr/sbin:/sbin

fail() { printf 'error: %s: %s\n' "$(basename "$0")" "$2" >&2; exit "$1"; }

# is_alive PID: false for a zombie, which may stay in a container without an init process.
is_alive() { [[ -e /proc/$1/status ]] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# runs DAEMON: whether it runs; sets pid. The name is compared too, because a later process may have the number of the pid
# file. The slurmd of a node is slurmd.NODE.
runs() {
  pid=$(tr -dc 0-9 2>/dev/null <"$folder/run/$1.pid") || return 1
  [[ -n $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == "${1%%.*}" ]] && is_alive "$pid"
}

# until_true SECONDS COMMAND...: waits until COMMAND succeeds; the status is 1 when it did not in that time.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# start DAEMON LOG WORD...: starts it in the background unless it runs.
start() {
  local daemon=$1 log=$2
  shift 2
  ! runs "$daemon" || return 0
  rm -f "$folder/run/$daemon.pid"
  if ! "${daemon%%.*}" "$@" </dev/null >>"$folder/log/$daemon.out" 2>&1 || ! until_true 20 runs "$daemon"; then
    tail -n 5 "$folder/log/$daemon.out" "$log" >&2 || true
    fail 1 "$daemon did not start; are the ports from $port to $((port + nodes)) free? pass another --port"
  fi
}

# stop DAEMON: with TERM, and with KILL when it has not ended after 20 s.
stop() {
  if runs "$1"; then
    kill -TERM "$pid"
    until_true 20 has_ended "$pid" || kill -KILL "$pid" || true
    until_true 5 has_ended "$pid" || fail 1 "$1, process $pid, does not end"
  fi
  rm -f "$folder/run/$1.pid"
}

has_ended() { ! is_alive "$1"; }

# nodes_are_ready: the controller may remember an old state, so the port of each node is tested too.
nodes_are_ready() {
  local i
  for ((i = 1; i <= nodes; i++)); do (: <"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null || return 1; done
  (($(timeout 10 sinfo -h -N -p main -o %T 2>/dev/null | grep -cxE 'idle|mixed|allocated|completing') == nodes))
}
