-- Purpose: row security policies of a table.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.name), '[]')::text
from (
    select
        p.oid::int8 as oid,
        p.polname as name,
        p.polpermissive as is_permissive,
        p.polcmd::text as command,
        (
            select jsonb_agg(case when r.oid = 0 then null else pg_get_userbyid(r.oid)::text end order by r.place)
            from unnest(p.polroles) with ordinality r (oid, place)
        ) as roles,
        pg_get_expr(p.polqual, p.polrelid) as using_sql,
        pg_get_expr(p.polwithcheck, p.polrelid) as check_sql,
        obj_description(p.oid, 'pg_policy') as comment
    from pg_policy p
    where p.polrelid = $1
) t
