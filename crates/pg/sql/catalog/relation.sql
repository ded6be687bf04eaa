-- Purpose: one relation's own facts: name, kind, owner, storage, options, sizes.
-- Locks: access share on catalogues; pg_relation_size opens the relation with access share
-- Oldest version: 14
select to_jsonb(t)::text
from (
    select
        c.oid::int8 as oid,
        jsonb_build_object('schema', n.nspname, 'name', c.relname) as name,
        c.relkind::text as kind,
        c.relpersistence::text as persistence,
        am.amname as access_method,
        ts.spcname as tablespace,
        pg_get_userbyid(c.relowner)::text as owner,
        obj_description(c.oid, 'pg_class') as comment,
        coalesce(to_jsonb(c.reloptions), '[]') as options,
        coalesce(to_jsonb(tc.reloptions), '[]') as toast_options,
        c.relreplident::text as replica_identity,
        c.relrowsecurity as has_row_security,
        c.relforcerowsecurity as is_row_security_forced,
        c.relispartition as is_partition,
        c.reloftype <> 0 as is_typed,
        (n.nspname in ('pg_catalog', 'information_schema') or n.nspname like 'pg\_toast%' or c.oid < 16384) as is_catalog,
        (
            select e.extname
            from pg_depend d
            join pg_extension e on e.oid = d.refobjid
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0
              and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
        ) as extension,
        c.reltuples::float8 as row_estimate,
        case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) else 0 end as heap_bytes,
        case when c.reltoastrelid <> 0 then pg_total_relation_size(c.reltoastrelid) else 0 end as toast_bytes,
        case when c.relkind in ('r', 'm') then pg_indexes_size(c.oid) else 0 end as index_bytes
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_am am on am.oid = c.relam
    left join pg_tablespace ts on ts.oid = c.reltablespace
    left join pg_class tc on tc.oid = c.reltoastrelid
    where c.oid = $1
) t
