-- Purpose: the first relation of this name on the search path that psql would have. The session's own path is pinned;
--          reset_val is what the session began with: the role's, the database's or the server's setting.
-- Locks: access share on catalogues
-- Oldest version: 14
with setting as (
    select reset_val as path
    from pg_settings
    where name = 'search_path'
),
element as (
    -- The value is a list of identifiers, quoted as in SQL. A comma inside of quotes does not separate.
    select m.place, m.part[1] as quoted, m.part[2] as plain
    from setting
    cross join lateral regexp_matches(setting.path, '"((?:[^"]|"")*)"|([^",\s]+)', 'g') with ordinality as m (part, place)
),
schema_name as (
    select
        element.place,
        case
            when coalesce(replace(element.quoted, '""', '"'), lower(element.plain)) = '$user' then session_user::text
            else coalesce(replace(element.quoted, '""', '"'), lower(element.plain))
        end as name
    from element
    union all
    -- pg_catalog comes first unless the path names it.
    select 0, 'pg_catalog'
    where not exists (select 1 from element where coalesce(element.quoted, lower(element.plain)) = 'pg_catalog')
)
select c.oid, n.nspname::text as schema, c.relname::text as name
from schema_name s
join pg_namespace n on n.nspname = s.name
join pg_class c on c.relnamespace = n.oid
where c.relname = $1
order by s.place
limit 1
