-- Purpose: the operations of some migrations of which nobody can tell whether their newest try came to its end.
-- Locks: access share on corridor.attempt
-- Oldest version: 14
select
    t.migration_id,
    t.operation
from (
    select distinct on (a.migration_id, a.operation)
        a.migration_id,
        a.operation,
        a.outcome,
        a.began_at
    from corridor.attempt a
    where a.migration_id = any($1)
    order by a.migration_id, a.operation, a.number desc
) t
where t.outcome is null
order by t.migration_id, t.began_at
