# shellcheck shell=bash
# Writes slurm.conf and the other files of a Slurm on this machine. Needs folder, nodes, cpus, gpus and port.
host=$(uname -n) host=${host%%.*} user=$(id -un)
if ((nodes == 1)); then names=("$host"); else mapfile -t names < <(seq -f node%.0f "$nodes"); fi
megabytes=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
umask 022
mkdir -p "$folder"/{run,log,state,spool,munge}
chmod 700 "$folder"/{state,munge}
[[ -s $folder/munge/key ]] || (umask 077; head -c 128 /dev/urandom >"$folder/munge/key")

cat >"$folder/slurm.conf" <<CONF
ClusterName=trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny

# a separate munged; a job that is queued again waits for cred_expire seconds
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/run/munge.socket,cred_expire=5

SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n

# works in a container: no cgroups, no processor affinity, no MPI, no mail, no accounting
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=5,batch_sched_delay=0
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=300
JobRequeue=1

PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
$(if ((gpus)); then printf 'GresTypes=gpu\n'; fi)
NodeName=DEFAULT CPUs=$cpus RealMemory=$megabytes
$(if ((gpus)); then printf 'NodeName=DEFAULT Gres=gpu:%s' "$gpus"; fi)
$(for i in "${!names[@]}"; do printf 'NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%s Weight=%s\n' "${names[i]}" "$host" $((port + i + 1)) $((i + 1)); done)
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE DefaultTime=60
PartitionName=main Default=YES PriorityTier=5 PreemptMode=OFF
PartitionName=low PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=${names[0]} PriorityTier=9 PreemptMode=OFF
CONF

rm -f "$folder"/{gres,cgroup}.conf
for ((gpu = 0; gpu < gpus; gpu++)); do  # copies of /dev/null: Slurm only counts them
  [[ -c $folder/gpu$gpu ]] || mknod -m 600 "$folder/gpu$gpu" c 1 3
  printf 'Name=gpu File=%s/gpu%s\n' "$folder" "$gpu" >>"$folder/gres.conf"
done
# since 23.11 slurmd uses cgroups by default; older versions do not know this file
version=$(slurmctld -V) version=${version#* }
if [[ $(printf '%s\n' 23.11 "$version" | sort -V | head -n 1) == 23.11 ]]; then
  printf 'CgroupPlugin=disabled\n' >"$folder/cgroup.conf"
fi
printf 'export SLURM_CONF=%s/slurm.conf\n' "$folder" >"$folder/env.sh"
