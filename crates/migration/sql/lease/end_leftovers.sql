-- Purpose: end the backends in which a dead worker's transactions still hold the lease row.
--
-- A backend is one of them when all of this holds: it is in this database; its application_name says Corridor and
-- this migration; it holds a lock on corridor.lease as only a writing worker does (`for share`: row share), or as a
-- worker does that died while it took or released the lease (row exclusive, idle for longer than the lease); and its
-- transaction began before this statement. The lease is looked at in this statement's snapshot: a rival that takes
-- over after it has transactions that began later, so a living worker is never ended.
-- Locks: access share on corridor.lease and corridor.heartbeat
-- Oldest version: 14
select
    a.pid,
    pg_terminate_backend(a.pid) as is_told
from pg_stat_activity a
where a.pid <> pg_backend_pid()
  and a.datname = current_database()
  and a.application_name like 'corridor:%'
  and split_part(a.application_name, ':', 3) = $3
  and a.xact_start <= statement_timestamp()
  and exists (
      select 1
      from pg_locks k
      where k.pid = a.pid
        and k.locktype = 'relation'
        and k.database = (select oid from pg_database where datname = current_database())
        and k.relation = 'corridor.lease'::regclass
        and k.granted
        and (
            k.mode = 'RowShareLock'
            or (
                k.mode = 'RowExclusiveLock'
                and a.state like 'idle in transaction%'
                and a.state_change <= clock_timestamp() - $4::bigint * interval '1 ms'
            )
        )
  )
  and exists (
      select 1
      from corridor.lease l
      join corridor.heartbeat h on h.migration_id = l.migration_id
      where l.migration_id = $1
        and l.epoch = $2
        and (l.holder is null or h.at <= clock_timestamp() - h.ttl_ms * interval '1 ms')
  )
