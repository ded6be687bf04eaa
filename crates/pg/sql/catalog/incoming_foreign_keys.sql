-- Purpose: foreign keys of other tables that reference this one; of a partitioned tree only the top.
-- Locks: access share on catalogues
-- Oldest version: 14 (conenforced, conperiod: 18, read through to_jsonb)
select coalesce(jsonb_agg(to_jsonb(t) order by t.table_oid, t.name), '[]')::text
from (
    select
        k.oid::int8 as oid,
        k.conname as name,
        c.oid::int8 as table_oid,
        jsonb_build_object('schema', n.nspname, 'name', c.relname) as table,
        c.relkind::text as table_kind,
        c.relispartition as is_partition,
        pg_get_userbyid(c.relowner)::text as owner,
        pg_get_constraintdef(k.oid) as definition,
        k.convalidated as is_validated,
        coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) as is_enforced,
        coalesce((to_jsonb(k) ->> 'conperiod')::bool, false) as is_temporal,
        obj_description(k.oid, 'pg_constraint') as comment,
        k.conindid::int8 as index_oid,
        (
            select jsonb_agg(a.attname order by s.place)
            from unnest(k.conkey) with ordinality as s (number, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = s.number
        ) as columns,
        (
            select jsonb_agg(a.attname order by s.place)
            from unnest(k.confkey) with ordinality as s (number, place)
            join pg_attribute a on a.attrelid = k.confrelid and a.attnum = s.number
        ) as referenced_columns
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    where k.confrelid = $1
      and k.conrelid <> $1
      and k.contype = 'f'
      and k.conparentid = 0
) t
