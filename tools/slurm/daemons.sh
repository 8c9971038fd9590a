# shellcheck shell=bash
# The three daemons of a Slurm of one node: started, and found again by their pid files. Needs `folder`.
export PATH=$PATH:/usr/sbin:/sbin

fail() { printf 'error: %s: %s\n' "$(basename "$0")" "$2" >&2; exit "$1"; }

# is_alive PID: a zombie, which nobody asks for in a bare container, is not.
is_alive() { [[ -e /proc/$1/status ]] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# runs DAEMON: whether it does, by its pid file and by its name, since the number may be another process's by now; sets pid.
runs() {
  pid=$(tr -dc 0-9 2>/dev/null <"$folder/run/$1.pid") || return 1
  [[ -n $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]] && is_alive "$pid"
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

# start DAEMON LOG WORD...: unless it runs. It puts itself into the background.
start() {
  local daemon=$1 log=$2
  shift 2
  ! runs "$daemon" || return 0
  rm -f "$folder/run/$daemon.pid"
  if ! "$daemon" "$@" </dev/null >>"$folder/log/$daemon.out" 2>&1 || ! until_true 20 runs "$daemon"; then
    tail -n 5 "$folder/log/$daemon.out" "$log" >&2 || true
    fail 1 "$daemon did not start; are ports $port and $((port + 1)) free? --port takes another"
  fi
}

# stop DAEMON: with TERM, and with KILL where that does not help.
stop() {
  if runs "$1"; then
    kill -TERM "$pid"
    until_true 20 has_ended "$pid" || kill -KILL "$pid" || true
    until_true 5 has_ended "$pid" || fail 1 "$1, process $pid, does not end"
  fi
  rm -f "$folder/run/$1.pid"
}

has_ended() { ! is_alive "$1"; }

# node_is_ready: the controller may remember a state of earlier, so the node's own port is asked too.
node_is_ready() {
  (: <"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null || return 1
  [[ $(timeout 10 sinfo -h -p main -o %T 2>/dev/null) =~ ^(idle|mixed|allocated|completing)$ ]]
}
