# shellcheck shell=bash
# From stage 4 on, `python -m sure.bin.NAME` runs in forks of one process, which has imported the libraries and serves all
# experiments of the call (sure/forks/client.py). Each command has its own process, and the same results, as without it.

forks=""  # a folder that this call has made, with a command `python` and the socket of the server

# use_forks: puts this command `python` before the one of the environment. A run.sh that another one calls uses the same.
use_forks() {
  local python
  [[ $launch == local && -d /proc/self && $PATH != "${SURE_FORKS-/}:"* ]] || return 0
  if [[ -z ${SURE_FORKS-} ]]; then
    python=$(command -v python) && forks=$(mktemp -d)
    cat >"$forks/python" <<END
#!/usr/bin/env bash
if [[ "\$1 \$2" == "-m sure.bin."* ]]; then set -- -S ${root@Q}/sure/forks/client.py ${forks@Q} $$ "\$@"; fi
exec ${python@Q} "\$@"
END
    chmod +x "$forks/python"
    export SURE_FORKS=$forks
  fi
  PATH=$SURE_FORKS:$PATH
}

remove_forks() { [[ -z $forks ]] || rm -rf "$forks"; }
