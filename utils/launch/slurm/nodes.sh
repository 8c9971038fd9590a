# shellcheck shell=bash
# Runs a command once on each of several nodes of a job.

# run_on_nodes: changes `command` to the srun that starts it on ${nodes:-1} nodes. After the end of the command on one node,
# the others have a minute to end by themselves, e.g. to save. Then srun ends them. srun names each node where it failed.
run_on_nodes() {
  command=(srun --nodes="${nodes:-1}" --ntasks="${nodes:-1}" --ntasks-per-node=1 --wait=60 --kill-on-bad-exit=0
    ${threads:+--cpus-per-task="$threads"} -- bash "$root/utils/launch/slurm/node.sh" "${command[@]}")
}
