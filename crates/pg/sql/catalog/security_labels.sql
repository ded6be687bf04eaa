-- Purpose: security labels on a table and its columns.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(
    jsonb_build_object('provider', s.provider, 'column', a.attname, 'label', s.label) order by s.provider, s.objsubid
), '[]')::text
from pg_seclabel s
left join pg_attribute a on a.attrelid = s.objoid and a.attnum = s.objsubid and s.objsubid <> 0
where s.classoid = 'pg_class'::regclass
  and s.objoid = $1
