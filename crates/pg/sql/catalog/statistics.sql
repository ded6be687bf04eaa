-- Purpose: extended statistics on a table.
-- Locks: access share on catalogues
-- Oldest version: 14 (17 has no target where 16 has -1)
select coalesce(jsonb_agg(to_jsonb(t) order by t.oid), '[]')::text
from (
    select
        s.oid::int8 as oid,
        jsonb_build_object('schema', n.nspname, 'name', s.stxname) as name,
        pg_get_statisticsobjdef(s.oid) as definition,
        nullif(s.stxstattarget::int4, -1) as target,
        pg_get_userbyid(s.stxowner)::text as owner,
        obj_description(s.oid, 'pg_statistic_ext') as comment
    from pg_statistic_ext s
    join pg_namespace n on n.oid = s.stxnamespace
    where s.stxrelid = $1
) t
