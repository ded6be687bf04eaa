-- Purpose: the age of the oldest transaction that keeps a vacuum of this database from freezing.
-- Locks: none
-- Oldest version: 14
select max(h.xid_age)::float8 as xid_age
from (
    select greatest(age(backend_xmin), age(backend_xid)) as xid_age
    from pg_stat_activity
    where pid <> pg_backend_pid()
        and (datname = current_database() or backend_type = 'walsender')
        and backend_type <> 'autovacuum worker'
    union all
    select age(transaction) from pg_prepared_xacts where database = current_database()
    union all
    select greatest(age(xmin), age(catalog_xmin)) from pg_replication_slots
) h
