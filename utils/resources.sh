# shellcheck shell=bash
# Options for the place where commands run, the number of commands at once, and the resources of each.

option launch local            "where commands run: local (this machine) or slurm"
option nj 1                    "experiments that run at the same time, and threads that extract features for tts (slurm: cluster_jobs of utils/cluster.sh)"
option gpus 1                  "GPUs of each experiment, on each of its nodes; 0: use the CPU, also where there is a GPU"
option processes ""            "processes that train one model together, on each node (default: one for each GPU, else one)"
option nodes 1                 "nodes that train one model together, with --launch slurm (slurm: cluster_nodes of utils/cluster.sh)"
option partition ""            "partition of the cluster, with --launch slurm (default of this and the next two: utils/cluster.sh)"
option mem ""                  "memory of each job on each node, e.g. 16G"
option time ""                 "time limit of each job, e.g. 8:00:00; training that reaches it is queued again and continues"

# check_resources: sets job_words, options for the launcher of every command, and cluster_threads, the threads of each job
# in a queue.
check_resources() {
  local launchers
  launchers=$(cd "$root/utils/launch" && printf '%s ' *.sh)
  # shellcheck disable=SC2086 # one word for each launcher
  one_of launch ${launchers//.sh/}
  job_words=() cluster_threads=""
  if [[ $launch == slurm && -z ${SLURM_JOB_ID-} ]]; then
    . "$root/utils/cluster_settings.sh"
    [[ -v option_given[nj] ]] || nj=$cluster_jobs
    [[ -v option_given[nodes] ]] || nodes=$cluster_nodes
  fi
  [[ $nj =~ ^[1-9][0-9]*$ ]] || usage_error "--nj takes a number from 1, not '$nj'"
  [[ $gpus =~ ^[0-9]+$ ]] || usage_error "--gpus takes a number from 0, not '$gpus'"
  [[ $processes =~ ^([1-9][0-9]*)?$ ]] || usage_error "--processes takes a number from 1, not '$processes'"
  [[ $nodes =~ ^[1-9][0-9]*$ ]] || usage_error "--nodes takes a number from 1, not '$nodes'"
  ((nodes == 1)) || [[ $launch != local ]] || usage_error "--nodes $nodes needs --launch slurm; without Slurm, start" \
    "python -m sure.bin.train with --nodes $nodes --rendezvous HOST:PORT on each node yourself (docs/cluster.md)"
  [[ $partition =~ ^[A-Za-z0-9_,.-]*$ ]] || usage_error "--partition takes a name, not '$partition'"
  [[ $mem =~ ^([0-9]+[KMGT]?)?$ ]] || usage_error "--mem takes a size such as 16G, not '$mem'"
  [[ $time =~ ^([0-9]+([-:][0-9]+)*)?$ ]] || usage_error "--time takes hours:minutes:seconds such as 8:00:00, not '$time'"
  if [[ -n $partition ]]; then job_words+=(--partition "$partition"); fi
  if [[ -n $mem ]]; then job_words+=(--mem "$mem"); fi
  if [[ -n $time ]]; then job_words+=(--time "$time"); fi
}
