-- Purpose: every constraint of a table but the not-null ones (they are read with their columns), and but those by
--          which the server carries out a foreign key to a partitioned table, one for each referenced partition.
-- Locks: access share on catalogues
-- Oldest version: 14 (conenforced, conperiod: 18, read through to_jsonb)
select coalesce(jsonb_agg(to_jsonb(t) order by t.kind, t.name), '[]')::text
from (
    select
        k.oid::int8 as oid,
        k.conname as name,
        k.contype::text as kind,
        pg_get_constraintdef(k.oid) as definition,
        k.convalidated as is_validated,
        coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) as is_enforced,
        coalesce((to_jsonb(k) ->> 'conperiod')::bool, false) as is_temporal,
        k.condeferrable as is_deferrable,
        k.condeferred as is_deferred,
        k.connoinherit as is_no_inherit,
        k.conislocal as is_local,
        obj_description(k.oid, 'pg_constraint') as comment,
        case when k.contype in ('p', 'u', 'x') then nullif(k.conindid, 0)::int8 end as index_oid,
        coalesce((
            select jsonb_agg(a.attname order by s.place)
            from unnest(k.conkey) with ordinality as s (number, place)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = s.number
        ), '[]') as columns,
        case when k.contype = 'f' then jsonb_build_object(
            'oid', k.confrelid::int8,
            'table', jsonb_build_object('schema', fn.nspname, 'name', f.relname),
            'kind', f.relkind::text,
            'owner', pg_get_userbyid(f.relowner)::text,
            'index_oid', k.conindid::int8,
            'columns', (
                select jsonb_agg(a.attname order by s.place)
                from unnest(k.confkey) with ordinality as s (number, place)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = s.number
            )
        ) end as referenced
    from pg_constraint k
    left join pg_class f on f.oid = k.confrelid
    left join pg_namespace fn on fn.oid = f.relnamespace
    where k.conrelid = $1
      and k.contype in ('c', 'f', 'p', 'u', 'x')
      and not exists (select 1 from pg_constraint p where p.oid = k.conparentid and p.conrelid = k.conrelid)
) t
