-- Purpose: which table has the name, and which one the move made (recorded by `prepare` with the table itself).
-- Locks: none
-- Oldest version: 14
select
    (
        select c.oid
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1
          and c.relname = $2
    ) as named_oid,
    (
        select (o.progress ->> 'target_oid')::oid
        from corridor.operation o
        where o.migration_id = $3
          and o.name = 'prepare'
    ) as target_oid
