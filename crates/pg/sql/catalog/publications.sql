-- Purpose: publications that contain a table, and by what: its own name (with columns and row filter), its schema, or
--          all tables.
-- Locks: access share on catalogues
-- Oldest version: 14 (columns, row filters and publications of schemas came with 15, hence the detour over jsonb)
select coalesce(jsonb_agg(
    jsonb_build_object(
        'name', p.pubname,
        'owner', pg_get_userbyid(p.pubowner),
        'is_via_root', p.pubviaroot,
        'reach', case
            when p.puballtables then 'all_tables'
            when r.prpubid is not null then 'table'
            else 'schema'
        end,
        'columns', (
            select jsonb_agg(a.attname order by a.attnum)
            from pg_attribute a
            where a.attrelid = $1
              and to_jsonb(r) -> 'prattrs' @> to_jsonb(a.attnum)
        ),
        'filter_sql', to_jsonb(x) ->> 'rowfilter'
    )
    order by p.pubname
), '[]')::text
from pg_publication p
join pg_class c on c.oid = $1
join pg_namespace n on n.oid = c.relnamespace
left join pg_publication_rel r on r.prpubid = p.oid and r.prrelid = $1
left join pg_publication_tables x on x.pubname = p.pubname and x.schemaname = n.nspname and x.tablename = c.relname
where p.puballtables or r.prpubid is not null or x.pubname is not null
