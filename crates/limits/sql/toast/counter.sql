-- Purpose: the counter of object ids. A superuser takes one id of the four billion to know it exactly; others see it as of
-- the last checkpoint, which rounds it up to the end of a batch of 8,192.
-- Locks: row exclusive on pg_class, for a superuser
-- Oldest version: 14
select
    extract(epoch from clock_timestamp())::float8 as now_s,
    case
        when r.rolsuper and not pg_is_in_recovery()
            then pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::oid
        else c.next_oid
    end as next_oid,
    case
        when r.rolsuper and not pg_is_in_recovery() then 0
        else extract(epoch from clock_timestamp() - c.checkpoint_time)
    end::float8 as age_s,
    r.rolsuper as is_superuser
from pg_control_checkpoint() c, pg_roles r
where r.rolname = current_user
