# shellcheck shell=bash
# Options for the place where commands run, the number of commands at once, and the resources of each.

. "$root/utils/launch/local/gpus.sh"

option launch local            "where commands run: local (this machine) or slurm"
option nj 1                    "experiments that run at the same time (auto: as many as GPUs or, without, processors and memory suffice for), and threads that extract features for tts (slurm: cluster_jobs of utils/cluster.sh)"
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
    [[ -v option_given[nj] && $nj != auto ]] || nj=$cluster_jobs
    [[ -v option_given[nodes] ]] || nodes=$cluster_nodes
  fi
  if [[ $nj == auto ]]; then jobs_at_once; fi
  [[ $nj =~ ^[1-9][0-9]*$ ]] || usage_error "--nj takes a number from 1 or auto, not '$nj'"
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

# jobs_at_once: sets nj to the number of experiments that --nj auto runs at once. It depends on the machine and the weights
# alone, not on the experiments of the call: each has the same number of threads, so the same rounding, in every call.
jobs_at_once() {
  local path gigabytes memory processors
  local -a visible=()
  path=$(from_caller "$weights")
  list_gpus
  if ((gpus > 0 && ${#visible[@]} > 0)); then
    nj=$((${#visible[@]} / gpus))
  else
    gigabytes=1  # of a name, whose weights are not on disk yet
    if [[ -e $path || $path =~ ^(downloads/|random) ]]; then
      gigabytes=$({ du -smL "$path" 2>/dev/null || true; } | awk '{ print int($1 / 1024) }')
    fi
    memory=$(awk '/^MemTotal:/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
    # float32 weights, gradients and moments of all of them at most, a copy for the optimizer's step, and 2 GB for the rest
    nj=$((memory * 8 / 10 / (2 + 5 * ${gigabytes:-0})))
    processors=$(env -u OMP_NUM_THREADS nproc)  # nproc reads it
    if ((nj > processors)); then nj=$processors; fi
  fi
  if ((nj < 1)); then nj=1; fi
}
