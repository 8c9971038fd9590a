# shellcheck shell=bash
# Writes slurm.conf and what else a Slurm of one node needs. Needs folder, cpus, gpus and port.
node=$(uname -n) node=${node%%.*} user=$(id -un)
megabytes=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
umask 022
mkdir -p "$folder"/{run,log,state,spool,munge}
chmod 700 "$folder"/{state,munge}
[[ -s $folder/munge/key ]] || (umask 077; head -c 128 /dev/urandom >"$folder/munge/key")

cat >"$folder/slurm.conf" <<CONF
ClusterName=trial
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$user
SlurmdUser=$user
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny

# a munged of its own; cred_expire is also how long a job waits that is queued again
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/run/munge.socket,cred_expire=5

SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool

# what works in a container: no cgroups, no processor affinity, no MPI, no mail, no accounting
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
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$megabytes $(if ((gpus)); then printf 'Gres=gpu:%s' "$gpus"; fi)
PartitionName=DEFAULT Nodes=$node MaxTime=INFINITE DefaultTime=60
PartitionName=main Default=YES PriorityTier=5 PreemptMode=OFF
PartitionName=low PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high PriorityTier=9 PreemptMode=OFF
CONF

rm -f "$folder"/{gres,cgroup}.conf
for ((gpu = 0; gpu < gpus; gpu++)); do  # devices like /dev/null: Slurm counts them
  [[ -c $folder/gpu$gpu ]] || mknod -m 600 "$folder/gpu$gpu" c 1 3
  printf 'NodeName=%s Name=gpu File=%s/gpu%s\n' "$node" "$folder" "$gpu" >>"$folder/gres.conf"
done
# since 23.11 slurmd uses cgroups unless this says otherwise; older ones do not know it
version=$(slurmctld -V) version=${version#* }
if [[ $(printf '%s\n' 23.11 "$version" | sort -V | head -n 1) == 23.11 ]]; then
  printf 'CgroupPlugin=disabled\n' >"$folder/cgroup.conf"
fi
printf 'export SLURM_CONF=%s/slurm.conf\n' "$folder" >"$folder/env.sh"
