-- Purpose: what the planner is to believe of columns. $1: the JSON of read_columns.sql. Operators are those of the default order of
--   each type, as analyze takes them.
-- Locks: row exclusive on pg_statistic. Wants a superuser with allow_system_table_mods; for clones.
-- Oldest version: 14
with said as (
    select * from pg_catalog.json_to_recordset($1::text::json) as s (
        "name" text, "column" text, inherited bool, null_frac float4, avg_width int4, n_distinct float4,
        common text, common_share text, bounds text, correlation float4, elements text, element_share text, element_counts text)
),
columns as (
    select
        s.*, a.attrelid, a.attnum, a.attcollation, t.oid as type,
        case when t.oid = 'pg_catalog.tsvector'::pg_catalog.regtype then 'pg_catalog.text'::pg_catalog.regtype::oid else t.typelem end as element,
        case
            when t.typtype = 'e' then 'pg_catalog.anyenum'::pg_catalog.regtype
            when t.typtype = 'r' then 'pg_catalog.anyrange'::pg_catalog.regtype
            when t.typtype = 'm' then 'pg_catalog.anymultirange'::pg_catalog.regtype
            when t.typtype = 'c' then 'pg_catalog.record'::pg_catalog.regtype
            when t.typelem <> 0 and t.typlen = -1 and t.typcategory = 'A' then 'pg_catalog.anyarray'::pg_catalog.regtype
            when t.oid = 'pg_catalog.varchar'::pg_catalog.regtype then 'pg_catalog.text'::pg_catalog.regtype
            when t.oid = 'pg_catalog.cidr'::pg_catalog.regtype then 'pg_catalog.inet'::pg_catalog.regtype
            else t.oid::pg_catalog.regtype
        end::oid as ordered
    from said s
    join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(s.name) and a.attname = s."column" and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type d on d.oid = a.atttypid
    join pg_catalog.pg_type t on t.oid = coalesce(nullif(d.typbasetype, 0), d.oid)
),
operators as (
    select k.opcintype as type, o.amopstrategy as strategy, o.amopopr as operator
    from pg_catalog.pg_opclass k
    join pg_catalog.pg_am m on m.oid = k.opcmethod and m.amname = 'btree'
    join pg_catalog.pg_amop o on o.amopfamily = k.opcfamily and o.amoplefttype = k.opcintype and o.amoprighttype = k.opcintype
    where k.opcdefault and o.amopstrategy in (1, 3)
)
insert into pg_catalog.pg_statistic (
    starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
    stakind1, staop1, stacoll1, stanumbers1, stavalues1,
    stakind2, staop2, stacoll2, stanumbers2, stavalues2,
    stakind3, staop3, stacoll3, stanumbers3, stavalues3,
    stakind4, staop4, stacoll4, stanumbers4, stavalues4,
    stakind5, staop5, stacoll5, stanumbers5, stavalues5)
select
    c.attrelid, c.attnum, c.inherited, c.null_frac, c.avg_width, c.n_distinct,
    -- The most common values, bounds of a histogram, the order on the disk, the most common elements, how many of them.
    case when c.common is null then 0 else 1 end, case when c.common is null then 0 else coalesce(equal.operator, 0) end,
    case when c.common is null then 0 else c.attcollation end, c.common_share::float4[],
    pg_catalog.array_in(pg_catalog.textout(c.common), c.type, -1),
    case when c.bounds is null then 0 else 2 end, case when c.bounds is null then 0 else coalesce(less.operator, 0) end,
    case when c.bounds is null then 0 else c.attcollation end, null,
    pg_catalog.array_in(pg_catalog.textout(c.bounds), c.type, -1),
    case when c.correlation is null then 0 else 3 end, case when c.correlation is null then 0 else coalesce(less.operator, 0) end,
    case when c.correlation is null then 0 else c.attcollation end, case when c.correlation is null then null else array[c.correlation] end, null,
    case when c.elements is null then 0 else 4 end, case when c.elements is null then 0 else coalesce(member.operator, 0) end,
    case when c.elements is null then 0 else c.attcollation end, c.element_share::float4[],
    pg_catalog.array_in(pg_catalog.textout(c.elements), c.element, -1),
    case when c.element_counts is null then 0 else 5 end, case when c.element_counts is null then 0 else coalesce(member.operator, 0) end,
    case when c.element_counts is null then 0 else c.attcollation end, c.element_counts::float4[], null
from columns c
left join operators equal on equal.type = c.ordered and equal.strategy = 3
left join operators less on less.type = c.ordered and less.strategy = 1
left join operators member on member.type = case c.element when 'pg_catalog.varchar'::pg_catalog.regtype then 'pg_catalog.text'::pg_catalog.regtype::oid else c.element end and member.strategy = 3
where not exists (
    select from pg_catalog.pg_statistic o where o.starelid = c.attrelid and o.staattnum = c.attnum and o.stainherit = c.inherited)
