-- Purpose: statistics of the freshly filled table.
-- Locks: SHARE UPDATE EXCLUSIVE on public.orders
-- Oldest version: 14
vacuum (analyze) public.orders
