-- Purpose: every relation of the application, with the file that its rows are in and the table that it belongs to: an index, a TOAST
--   table or its index, a sequence of a column.
-- Locks: access share on catalogues; none on the relations.
-- Oldest version: 14
select
    c.oid::text as oid,
    n.nspname::text as schema,
    c.relname::text as name,
    c.relkind::text as kind,
    coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::text as file,
    coalesce(toasted.oid, indexed.oid, owned.refobjid, 0)::text as owner,
    (toasted.oid is not null)::text as is_toast
from pg_catalog.pg_class c
left join pg_catalog.pg_index x on x.indexrelid = c.oid
left join pg_catalog.pg_class toasted on toasted.reltoastrelid = coalesce(x.indrelid, case when c.relkind = 't' then c.oid end)
left join pg_catalog.pg_class indexed on indexed.oid = x.indrelid and indexed.relkind <> 't'
left join pg_catalog.pg_depend owned on c.relkind = 'S' and owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and owned.objid = c.oid and owned.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and owned.deptype in ('a', 'i') and owned.refobjsubid > 0
join pg_catalog.pg_namespace n on n.oid = coalesce(toasted.relnamespace, c.relnamespace)
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
