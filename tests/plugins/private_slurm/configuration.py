"""The configuration files of the daemons."""

SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
# The shortest lifetime that a loaded machine can keep: requeued jobs wait for it.
AuthInfo=socket={folder}/munge.sock,cred_expire=10
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType={tracking}
TaskPlugin={placing}
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.txt
KillWait={kill_wait_s}
MinJobAge={min_job_age_s}
SlurmdTimeout=20
# How long programs wait for a controller that is down.
MessageTimeout=5
MailProg=/bin/true
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports} CPUs={cpus} \
RealMemory={memory_mib} State=UNKNOWN
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=1
PartitionName=spot Nodes={names} MaxTime=INFINITE PreemptMode=CANCEL PriorityTier=1
PartitionName=urgent Nodes={names} MaxTime=INFINITE PreemptMode=OFF PriorityTier=10
"""
ACCOUNTING_CONF = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={records_port}
AccountingStoragePass={folder}/munge.sock
AccountingStorageEnforce=limits,qos
JobAcctGatherType=jobacct_gather/linux
"""
CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
ConstrainRAMSpace=yes
AllowedSwapSpace=0
"""
SLURMDBD_CONF = """\
AuthInfo=socket={folder}/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={records_port}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""
