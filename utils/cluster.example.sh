# shellcheck shell=bash
# Settings of your cluster for --launch slurm: copy this file to utils/cluster.sh, which git ignores, and change the copy.
# What the copy leaves out is as here; options of run.sh (--partition, --mem, --time, --gpus, --nj) come before both.

cluster_partition=""        # of jobs without a GPU; empty: the cluster's default
cluster_gpu_partition=""    # of jobs with a GPU; empty: cluster_partition
cluster_account=""          # the account or project that pays; empty: your default
cluster_qos=""
cluster_mem=""              # memory of a job, e.g. 16G; empty: the cluster's default
cluster_time=""             # time limit of a job, e.g. 1-00:00:00; empty: the partition's default
cluster_threads=""          # processors of a job; empty: as many as --launch local would take with the same --nj
cluster_gpu_words=(--gres=gpu:GPUS)  # how a job asks for GPUS of them, e.g. (--gpus-per-node=a100:GPUS)
cluster_words=()            # more words for every sbatch, e.g. (--constraint=avx512 --exclude=node7)
cluster_jobs=8              # experiments of a sweep in the queue at the same time, without --nj
cluster_warning=120         # seconds before the end of its time in which a job saves its state
cluster_restarts=20         # how often a job may be stopped by the queue (time limit, preemption) and go on
