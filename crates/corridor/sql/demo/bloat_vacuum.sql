-- Purpose: statistics of the freshly filled table.
-- Locks: SHARE UPDATE EXCLUSIVE on public.accounts
-- Oldest version: 14
vacuum (analyze) public.accounts
