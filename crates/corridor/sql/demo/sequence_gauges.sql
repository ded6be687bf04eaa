-- Purpose: the last id, and the share of its column's type that it is.
-- Locks: none that anybody waits for
-- Oldest version: 14
select
    v.last::float8 as last_id,
    (v.last / case a.atttypid when 'int4'::regtype then 2147483647 else 9223372036854775807 end::float8)
    as type_used_ratio
from pg_attribute a
cross join lateral (
    select pg_sequence_last_value(pg_get_serial_sequence('public.orders', 'id')::regclass) as last
) v
where a.attrelid = 'public.orders'::regclass and a.attname = 'id'
