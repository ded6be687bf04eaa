-- Purpose: how wide each column of one table is in its row, and which are in an index.
-- Locks: none
-- Oldest version: 14
select
    a.attname::text as name,
    coalesce(w.width, 0)::float8 as width,
    w.width is not null as is_known,
    exists (
        select from pg_index i where i.indrelid = a.attrelid and a.attnum = any (i.indkey)
    ) as is_indexed
from pg_attribute a
left join lateral (
    select max(s.avg_width * (1 - s.null_frac)) as width
    from pg_stats s
    where s.schemaname = $2 and s.tablename = $3 and s.attname = a.attname
        and not s.inherited
) w on true
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum
