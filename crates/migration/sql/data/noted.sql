-- Purpose: whether something is noted as true in the progress of an operation.
-- Locks: access share on corridor.operation
-- Oldest version: 14
select exists (
    select 1
    from corridor.operation
    where migration_id = $1
      and name = $2
      and progress ->> $3 = 'true'
)
