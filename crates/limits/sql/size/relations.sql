-- Purpose: the relations with most pages: tables, TOAST relations, indexes, each by itself. No relation is opened.
-- Locks: none
-- Oldest version: 14
with recursive wanted as (
    select c.oid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2
    union
    -- Its partitions.
    select h.inhrelid
    from wanted w
    join pg_inherits h on h.inhparent = w.oid
),
scoped as materialized (
    select c.oid, c.reltoastrelid
    from wanted w
    join pg_class c on c.oid = w.oid
),
largest as materialized (
    select
        c.oid, c.relname, c.relnamespace, c.relkind,
        -- Kept as a signed number: from 2^31 pages on it is negative.
        case when c.relpages < 0 then c.relpages::float8 + 4294967296 else c.relpages end::float8 as pages,
        -- Never vacuumed: as if fifty rows stood on each page. Only for the order.
        case when c.reltuples < 0 then coalesce(pg_stat_get_live_tuples(c.oid), 0) / 50.0 else 0 end as guessed
    from pg_class c
    where c.relkind in ('r', 'm', 't', 'i')
        and c.relpersistence <> 't'
        and ($1::text is null or c.oid in (
            select s.oid from scoped s
            union select s.reltoastrelid from scoped s
            union select i.indexrelid from pg_index i join scoped s on i.indrelid in (s.oid, s.reltoastrelid)
        ))
    order by greatest(
        case when c.relpages < 0 then c.relpages::float8 + 4294967296 else c.relpages end,
        case when c.reltuples < 0 then pg_stat_get_live_tuples(c.oid) / 50.0 end
    ) desc, c.oid
    limit $3
),
owned as (
    select l.*, coalesce(p.oid, t.oid, i.indrelid, l.oid) as owner
    from largest l
    left join pg_index i on i.indexrelid = l.oid
    -- Of a TOAST relation, and of its index.
    left join pg_class t on t.reltoastrelid = l.oid and l.relkind = 't'
    left join pg_class p on p.reltoastrelid = i.indrelid and i.indrelid is not null
)
select
    o.oid,
    n.nspname::text as relation_schema,
    o.relname::text as relation_name,
    o.relkind = 'i' as is_index,
    o.relkind = 't' as is_toast,
    tn.nspname::text as schema_name,
    c.relname::text as table_name,
    rn.nspname::text as root_schema,
    r.relname::text as root_name,
    o.pages,
    current_setting('block_size')::float8 as block_bytes,
    coalesce(pg_stat_get_live_tuples(o.oid), 0)::float8 as live_rows,
    coalesce(pg_stat_get_dead_tuples(o.oid), 0)::float8 as dead_rows,
    (
        select a.attname::text
        from pg_index k
        join pg_attribute a on a.attrelid = k.indrelid and a.attnum = k.indkey[0]
        where k.indrelid = coalesce(r.oid, c.oid) and k.indisprimary
    ) as key_column
from owned o
join pg_namespace n on n.oid = o.relnamespace
join pg_class c on c.oid = o.owner
join pg_namespace tn on tn.oid = c.relnamespace
left join pg_class r on c.relispartition and r.oid = pg_partition_root(c.oid)
left join pg_namespace rn on rn.oid = r.relnamespace
order by greatest(o.pages, o.guessed) desc, o.oid
