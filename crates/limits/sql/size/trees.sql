-- Purpose: the largest trees of partitions (and of plain inheritance), and how many relations each has, indexes included.
-- Locks: none
-- Oldest version: 14
with recursive tree as (
    select h.inhparent as root, h.inhrelid as oid
    from pg_inherits h
    join pg_class c on c.oid = h.inhparent and c.relkind in ('r', 'p')
    where not exists (select from pg_inherits above where above.inhrelid = h.inhparent)
    union
    select t.root, h.inhrelid
    from tree t
    join pg_inherits h on h.inhparent = t.oid
),
member as (
    select t.root, t.oid from tree t
    union
    select t.root, t.root from tree t
),
indexed as materialized (
    select i.indrelid, count(*) as indexes
    from pg_index i
    group by i.indrelid
),
counted as (
    select
        m.root,
        count(*) filter (where c.relkind <> 'p') as partitions,
        -- Before PostgreSQL 16 the planner does not open the indexes of a table that has partitions.
        sum(1 + case
            when c.relkind = 'p' and current_setting('server_version_num')::int4 < 160000 then 0
            else coalesce(x.indexes, 0)
        end) as relations,
        sum(case when c.relpages < 0 then c.relpages::float8 + 4294967296 else c.relpages end) as pages
    from member m
    join pg_class c on c.oid = m.oid
    left join indexed x on x.indrelid = m.oid
    group by m.root
)
select
    n.nspname::text as schema_name,
    r.relname::text as table_name,
    d.partitions::float8 as partitions,
    d.relations::float8 as relations,
    d.pages * current_setting('block_size')::float8 as bytes,
    case when r.relkind = 'p' then pg_get_partkeydef(r.oid) end as partition_key
from counted d
join pg_class r on r.oid = d.root
join pg_namespace n on n.oid = r.relnamespace
where r.relpersistence <> 't'
    and ($1::text is null or (n.nspname = $1 and r.relname = $2))
order by d.relations desc, d.root
limit 20
