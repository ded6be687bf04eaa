-- Purpose: let only one session at a time add migrations: what they depend on is looked at together with what others have added.
-- Locks: advisory lock 0x636f727269646f61 of the transaction, held for the few statements that adding takes.
-- Oldest version: 14
select pg_catalog.pg_advisory_xact_lock(7165071367889776481)
