-- Purpose: publications that contain a table, and by what: its own name, its schema, or all tables.
-- Locks: access share on catalogues
-- Oldest version: 14 (publications of schemas: 15; they show as "schema" because nothing else names the table)
select coalesce(jsonb_agg(
    jsonb_build_object(
        'name', p.pubname,
        'reach', case
            when p.puballtables then 'all_tables'
            when exists (select 1 from pg_publication_rel r where r.prpubid = p.oid and r.prrelid = $1) then 'table'
            else 'schema'
        end
    )
    order by p.pubname
), '[]')::text
from pg_publication p
where p.pubname in (
    select x.pubname
    from pg_publication_tables x
    join pg_namespace n on n.nspname = x.schemaname
    join pg_class c on c.relnamespace = n.oid and c.relname = x.tablename
    where c.oid = $1
)
