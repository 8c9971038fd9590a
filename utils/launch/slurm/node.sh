#!/usr/bin/env bash
# Started by srun on each node of a job step: runs COMMAND, with RENDEZVOUS replaced by HOST:PORT, the same on all nodes.
#
#   srun ... node.sh COMMAND...
#
# HOST is the first node. PORT depends on the numbers of job and step, so that two of them on one node have two ports.
set -Eeuo pipefail
first=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
host=$(scontrol show node "$first" | sed -n 's/.*NodeHostName=\([^ ]*\).*/\1/p')
port=$((20000 + (SLURM_JOB_ID + 1009 * SLURM_STEP_ID) % 10000))
exec "${@//RENDEZVOUS/${host:-$first}:$port}"
