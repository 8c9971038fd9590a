# shellcheck shell=bash
# Settings of your cluster for --launch slurm. Copy this file to utils/cluster.sh, which git ignores, and edit the copy.
# A setting that is not in the copy has the value below. The options --partition, --mem, --time, --gpus, --nodes and --nj
# of run.sh win over both files.

cluster_partition=""        # partition of jobs without GPUs; empty: the cluster's default
cluster_gpu_partition=""    # partition of jobs with GPUs; empty: cluster_partition
cluster_account=""          # account or project that pays; empty: your default
cluster_qos=""              # quality of service; empty: your default
cluster_mem=""              # memory of a job on each node, e.g. 16G; empty: the cluster's default
cluster_time=""             # time limit of a job, e.g. 1-00:00:00; empty: the partition's default
cluster_threads=""          # processors of a job on each node; empty: as many as --launch local uses with the same --nj
cluster_nodes=1             # nodes that train one model together
cluster_gpu_words=(--gres=gpu:GPUS)  # asks for GPUS GPUs on each node; or e.g. (--gpus-per-node=a100:GPUS)
cluster_words=()            # more words for each sbatch, e.g. (--constraint=avx512 --exclude=node7)
cluster_jobs=8              # default of --nj: experiments in the queue at the same time
cluster_warning=120         # seconds before the end of its time at which a job saves its state
cluster_restarts=20         # how often the queue may stop a job (time limit, preemption) before it counts as failed
