# shellcheck shell=bash
# Runs a command once on each of several nodes of a job.

# run_on_nodes: changes `command` to the srun that starts it on ${nodes:-1} nodes. After the end of the command on one node,
# the others have a minute to end by themselves, e.g. to save. Then srun ends them. srun names each node where it failed.
run_on_nodes() {
  command=(srun --nodes="${nodes:-1}" --ntasks="${nodes:-1}" --ntasks-per-node=1 --wait=60 --kill-on-bad-exit=0
    ${threads:+--cpus-per-task="$threads"} -- bash "$root/utils/launch/slurm/node.sh" "${command[@]}")
}

# silent_nodes: prints an explanation for a failed task on several nodes when the slurmd of a node does not answer.
silent_nodes() {
  local node line address port silent=""
  ((status != 0 && ${nodes:-1} > 1)) || return 0
  for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
    line=$(scontrol --oneliner show node "$node")
    address=$(sed -n 's/.* NodeAddr=\([^ ]*\).*/\1/p' <<<"$line") port=$(sed -n 's/.* Port=\([1-9][0-9]*\) .*/\1/p' <<<"$line")
    port=${port:-$(scontrol show config | sed -n 's/^SlurmdPort *= *//p')}
    timeout 5 bash -c ": </dev/tcp/${address:-$node}/$port" 2>/dev/null || silent+=" $node"
  done
  if [[ -n $silent ]]; then printf ' status %s: no answer from%s, which may have failed' "$status" "$silent"; fi
}
