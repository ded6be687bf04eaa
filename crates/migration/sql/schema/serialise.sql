-- Purpose: let only one session at a time make or upgrade the schema. Held until the transaction ends.
-- Locks: advisory lock 0x636f727269646f72 ("corridor" in ASCII), transaction level, so that it works through a pooler.
-- Oldest version: 14
select pg_catalog.pg_advisory_xact_lock(7165071367889776498)
