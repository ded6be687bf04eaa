-- Purpose: boundaries of range partitions over numbers: multiples of a width, from the lowest value to some beyond the
--          highest; at the ends of the type minvalue and maxvalue.
-- Parameters: lowest, highest (null for an empty table), width, partitions beyond, type's lowest and highest (or null).
-- Locks: none
-- Oldest version: 14
with given as (
    select
        coalesce($1::text::numeric, 0) as lowest,
        coalesce($2::text::numeric, 0) as highest,
        $3::int8::numeric as width,
        $4::int8 as ahead,
        $5::text::numeric as type_min,
        $6::text::numeric as type_max
),
first as (
    select *, floor(lowest / width) * width as start
    from given
),
counted as (
    select *, floor((highest - start) / width) + 1 + ahead as wanted
    from first
)
select
    case when b.lower < type_min then null else b.lower::text end as lower,
    case when b.lower + width > type_max then null else (b.lower + width)::text end as upper,
    'p' || replace(b.lower::text, '-', 'm') as suffix,
    least(wanted, 9000000000000000000)::int8 as wanted
from counted
cross join lateral (
    select start + n * width
    from generate_series(0, least(wanted, 4097)::int8 - 1) as n
) as b (lower)
where type_max is null
   or b.lower <= type_max
order by b.lower
