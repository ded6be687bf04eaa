/* corridor */
-- Purpose: statistics and visibility of the freshly filled table, so that autovacuum does not come in while it is measured.
-- Locks: SHARE UPDATE EXCLUSIVE on public.persons
-- Oldest version: 14
vacuum (analyze) public.persons
