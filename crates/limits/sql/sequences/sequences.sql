-- Purpose: sequences with the columns that draw from them: first those that end soonest, of busy tables before quiet ones.
-- Locks: none
-- Oldest version: 14
with feeds as materialized (
    -- Owned: serial ('a') and identity ('i'). What an owned sequence feeds is its owner, unless a default says so as well.
    select d.objid as seq, d.refobjid as rel, d.refobjsubid as num, true as is_owned
    from pg_depend d
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjsubid > 0 and d.deptype in ('a', 'i')
        and d.objid in (select seqrelid from pg_sequence)
    union
    -- Defaults `nextval('x')`, whoever owns x: the server notes what a default draws from.
    select d.refobjid, ad.adrelid, ad.adnum::int4, false
    from pg_depend d
    join pg_attrdef ad on ad.oid = d.objid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjid in (select seqrelid from pg_sequence)
),
fed as materialized (
    select f.seq, f.rel, f.num, bool_or(f.is_owned) as is_owned
    from feeds f
    group by f.seq, f.rel, f.num
),
valued as materialized (
    select
        s.seqrelid, s.seqtypid, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
        c.relname, c.relnamespace, has_sequence_privilege(c.oid, 'select,usage') as may_read
    from pg_sequence s
    join pg_class c on c.oid = s.seqrelid
    where c.relpersistence <> 't'
),
limited as (
    select
        v.*, f.rel, f.num, coalesce(f.is_owned, false) as is_owned, a.attname,
        case coalesce(nullif(t.typbasetype, 0), t.oid)
            when 'int2'::regtype then 32767
            when 'int4'::regtype then 2147483647
            when 'int8'::regtype then 9223372036854775807
        end as column_max
    from valued v
    left join fed f on f.seq = v.seqrelid
    left join pg_attribute a on a.attrelid = f.rel and a.attnum = f.num and not a.attisdropped
    left join pg_type t on t.oid = a.atttypid
)
select
    l.seqrelid as oid,
    quote_ident(sn.nspname) || '.' || quote_ident(l.relname) as sequence,
    quote_ident(tn.nspname) || '.' || quote_ident(c.relname) as "table",
    l.attname::text as "column",
    l.is_owned,
    exists (
        select from fed o where o.seq = l.seqrelid and o.is_owned
    ) as has_owner,
    format_type(l.seqtypid, null) as sequence_type,
    l.seqmin::float8 as min,
    l.seqmax::float8 as max,
    l.column_max::float8 as column_max,
    l.seqstart::float8 as start,
    l.seqincrement::float8 as increment,
    l.seqcache::float8 as cache,
    l.seqcycle as is_cycle,
    l.may_read,
    coalesce(c.relpages, 0)::float8 as pages,
    exists (
        select from pg_index i
        where i.indrelid = l.rel and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = l.num
    ) as is_unique
from limited l
join pg_namespace sn on sn.oid = l.relnamespace
left join pg_class c on c.oid = l.rel
left join pg_namespace tn on tn.oid = c.relnamespace
where $1::text is null or (tn.nspname = $1 and c.relname = $2)
order by
    least(l.seqmax - greatest(l.seqmin, 0), coalesce(l.column_max, 9223372036854775807)),
    greatest(c.reltuples, pg_stat_get_tuples_inserted(l.rel)) desc nulls last,
    2, 3, 4
limit 4000
