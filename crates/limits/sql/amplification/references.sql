-- Purpose: foreign keys that point at these tables and have no index: each delete reads the whole other table.
-- Locks: none
-- Oldest version: 14
select
    k.confrelid as oid,
    n.nspname::text as child_schema,
    c.relname::text as child_table,
    array(
        select a.attname::text
        from unnest(k.conkey) with ordinality u (number, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number
        order by u.place
    ) as columns
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f'
    and k.confrelid = any ($1::oid[])
    and c.relpages > 8
    and not exists (
        select
        from pg_index i
        where i.indrelid = k.conrelid
            and i.indisvalid
            and i.indpred is null
            and i.indkey[0] = any (k.conkey)
    )
order by c.relpages desc
limit 20
