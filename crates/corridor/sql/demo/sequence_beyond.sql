-- Purpose: the highest id, and how many rows lie beyond what an integer holds.
-- Locks: none that anybody waits for
-- Oldest version: 14
select max(id)::bigint as highest, count(*) filter (where id > 2147483647) as beyond
from public.orders
