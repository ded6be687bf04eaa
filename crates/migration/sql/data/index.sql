-- Purpose: the index of a name in the schema of a table, whether it can be used, and whether somebody is at it.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select
    n.nspname::text as schema_name,
    i.indisvalid and i.indisready and i.indislive as is_valid,
    i.indrelid = t.oid as is_of_the_table,
    pg_get_indexdef(i.indexrelid) as definition,
    -- Whoever may not see of what the others' builds are sees that there is one on this table.
    exists (
        select 1
        from pg_stat_progress_create_index p
        where p.pid <> pg_backend_pid()
          and (
              p.index_relid = i.indexrelid
              or p.relid is null
              and exists (
                  select 1
                  from pg_locks l
                  where l.pid = p.pid
                    and l.relation = i.indrelid
                    and l.mode = 'ShareUpdateExclusiveLock'
                    and l.granted
              )
          )
    ) as is_being_built
from pg_class t
join pg_namespace n on n.oid = t.relnamespace
join pg_class c on c.relnamespace = n.oid and c.relname = $2
join pg_index i on i.indexrelid = c.oid
where t.oid = to_regclass($1)
