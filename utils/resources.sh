# shellcheck shell=bash
# Where the commands of a recipe run, how many at once, and what each of them gets.

option launch local            "where commands run: a file of utils/launch"
option nj 1                    "experiments that run at the same time, and threads that extract features of tts; with --launch slurm as utils/cluster.sh says"
option gpus 1                  "GPUs of each experiment; 0: use the processor even where there is a GPU"
option processes ""            "that train one model together, by torchrun (default: one for each GPU, else one)"
option partition ""            "of the cluster, with --launch slurm; here, and for the next two, else what utils/cluster.sh says"
option mem ""                  "memory of each job, e.g. 16G"
option time ""                 "time limit of each job, e.g. 8:00:00; a training that reaches it is queued again and goes on"

# check_resources: sets job_words, what every command is launched with, and cluster_threads, of each job in a queue.
check_resources() {
  local launchers
  launchers=$(cd "$root/utils/launch" && printf '%s ' *.sh)
  # shellcheck disable=SC2086 # one word for each launcher
  one_of launch ${launchers//.sh/}
  job_words=() cluster_threads=""
  if [[ $launch == slurm && -z ${SLURM_JOB_ID-} ]]; then
    . "$root/utils/cluster_settings.sh"
    [[ -v option_given[nj] ]] || nj=$cluster_jobs
  fi
  [[ $nj =~ ^[1-9][0-9]*$ ]] || usage_error "--nj takes a number from 1, not '$nj'"
  [[ $gpus =~ ^[0-9]+$ ]] || usage_error "--gpus takes a number, not '$gpus'"
  [[ $processes =~ ^([1-9][0-9]*)?$ ]] || usage_error "--processes takes a number from 1, not '$processes'"
  [[ $partition =~ ^[A-Za-z0-9_,.-]*$ ]] || usage_error "--partition takes a name, not '$partition'"
  [[ $mem =~ ^([0-9]+[KMGT]?)?$ ]] || usage_error "--mem takes a size such as 16G, not '$mem'"
  [[ $time =~ ^([0-9]+([-:][0-9]+)*)?$ ]] || usage_error "--time takes hours:minutes:seconds such as 8:00:00, not '$time'"
  if [[ -n $partition ]]; then job_words+=(--partition "$partition"); fi
  if [[ -n $mem ]]; then job_words+=(--mem "$mem"); fi
  if [[ -n $time ]]; then job_words+=(--time "$time"); fi
}
