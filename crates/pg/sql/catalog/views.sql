-- Purpose: views and materialised views whose definition reads the table (directly).
-- Locks: access share on catalogues; pg_get_viewdef access share on what the view reads
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.oid), '[]')::text
from (
    select
        v.oid::int8 as oid,
        jsonb_build_object('schema', n.nspname, 'name', v.relname) as name,
        v.relkind::text as kind,
        rtrim(pg_get_viewdef(v.oid), '; ') as definition,
        coalesce(to_jsonb(v.reloptions), '[]') as options,
        v.relpersistence = 't' as is_temporary,
        pg_get_userbyid(v.relowner)::text as owner,
        obj_description(v.oid, 'pg_class') as comment,
        (
            select coalesce(jsonb_agg(a.attname order by a.attnum), '[]')
            from pg_attribute a
            where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped
        ) as columns,
        exists (
            select 1
            from pg_attribute a
            join pg_type ty on ty.oid = a.atttypid
            left join pg_type el on el.oid = ty.typelem
            where a.attrelid = v.oid and a.attnum > 0
              and (ty.typrelid = $1 or el.typrelid = $1)
        ) as has_row_type_column,
        (
            select coalesce(jsonb_agg(distinct k.oid::int8), '[]')
            from pg_depend d
            join pg_constraint k on k.oid = d.refobjid and k.conrelid = $1
            where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
              and d.refclassid = 'pg_constraint'::regclass
        ) as constraint_oids
    from pg_rewrite r
    join pg_class v on v.oid = r.ev_class
    join pg_namespace n on n.oid = v.relnamespace
    where r.ev_type = '1'
      and r.rulename = '_RETURN'
      and r.ev_class <> $1
      and exists (
        select 1
        from pg_depend d
        where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
) t
