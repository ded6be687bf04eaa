-- Purpose: how relations hang together: partitions and children, foreign keys, columns of a domain.
-- Locks: access share on catalogues; none on the relations.
-- Oldest version: 14
select
    case when d.partdefid = i.inhrelid then 'default' else 'child' end as tie,
    i.inhrelid::text as relation, i.inhparent::text as other, '' as name
from pg_catalog.pg_inherits i
left join pg_catalog.pg_partitioned_table d on d.partrelid = i.inhparent
union all
select distinct 'references', c.conrelid::text, c.confrelid::text, ''
from pg_catalog.pg_constraint c
where c.contype = 'f'
union all
select distinct 'domain', a.attrelid::text, '0', t.typname::text
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'm', 'f')
join pg_catalog.pg_type t on t.oid = a.atttypid and t.typtype = 'd'
where a.attnum > 0 and not a.attisdropped and t.typnamespace <> 'information_schema'::pg_catalog.regnamespace
