-- Purpose: what the planner's statistics know of the columns of one index.
-- Locks: none
-- Oldest version: 14
select
    s.width,
    s.null_share,
    s.distinct_values,
    x.attlen::int4 as length
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class r on r.oid = i.indrelid
join pg_namespace n on n.oid = r.relnamespace
join pg_attribute x on x.attrelid = i.indexrelid
cross join lateral (
    -- An expression's statistics are those of the index itself.
    select
        case when i.indkey[x.attnum - 1] = 0 then c.relname else r.relname end as table_name,
        case
            when i.indkey[x.attnum - 1] = 0 then x.attname
            else (
                select a.attname
                from pg_attribute a
                where a.attrelid = r.oid and a.attnum = i.indkey[x.attnum - 1]
            )
        end as column_name
) w
left join lateral (
    select
        t.avg_width::float8 as width,
        t.null_frac::float8 as null_share,
        (case when t.n_distinct < 0 then -t.n_distinct * greatest(r.reltuples, 0) else t.n_distinct end)::float8
            as distinct_values
    from pg_stats t
    where t.schemaname = n.nspname
        and t.tablename = w.table_name
        and t.attname = w.column_name
        and not t.inherited
    limit 1
) s on true
where i.indexrelid = $1
order by x.attnum
