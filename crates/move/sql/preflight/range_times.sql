-- Purpose: boundaries of range partitions over dates and times, in UTC: whole hours, days or months, counted from
--          0001-01-01 (a Monday), from the oldest value to some beyond the newest.
-- Parameters: oldest, newest (null for an empty table: now), count, unit (hour, day, month), partitions beyond, and
--             the column's type (date, timestamp, timestamptz) for the form of the boundaries.
-- Locks: none
-- Oldest version: 14
with given as (
    select
        coalesce($1::text::timestamptz, now()) at time zone 'UTC' as oldest,
        coalesce($2::text::timestamptz, now()) at time zone 'UTC' as newest,
        $3::int4 as count,
        $4::text as unit,
        $5::int4 as ahead,
        $6::text as type
),
stepped as (
    select
        *,
        case unit
            when 'month' then make_interval(months => count)
            when 'day' then make_interval(days => count)
            else make_interval(hours => count)
        end as step,
        case unit
            when 'month' then
                date_trunc('month', oldest)
                - make_interval(months => ((extract(year from oldest)::int4 * 12 + extract(month from oldest)::int4 - 1) % count))
            when 'day' then date_bin(make_interval(days => count), oldest, timestamp '0001-01-01')
            else date_bin(make_interval(hours => count), oldest, timestamp '0001-01-01')
        end as start
    from given
),
-- More than 4097 are not counted: they are too many, and counting them could take long.
ended as (
    select
        *,
        case
            when extract(epoch from newest - start) / extract(epoch from step) < 4097 then newest + step * ahead
            else start + (newest - start) * (4098.0 * extract(epoch from step) / extract(epoch from newest - start))::float8
        end as stop
    from stepped
),
bound as (
    select ended.*, b.lower, b.lower + step as upper
    from ended
    cross join lateral generate_series(start, stop, step) as b (lower)
    limit 4097
)
select
    case type
        when 'date' then lower::date::text
        when 'timestamp' then lower::text
        else (lower at time zone 'UTC')::text
    end as lower,
    case type
        when 'date' then upper::date::text
        when 'timestamp' then upper::text
        else (upper at time zone 'UTC')::text
    end as upper,
    to_char(lower, case
        when unit = 'month' and count % 12 = 0 then '"p"YYYY'
        when unit = 'month' then '"p"YYYY_MM'
        when unit = 'day' then '"p"YYYY_MM_DD'
        else '"p"YYYY_MM_DD_HH24'
    end) as suffix,
    count(*) over () as wanted
from bound
order by bound.lower
