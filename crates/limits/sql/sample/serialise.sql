-- Purpose: one roll-up at a time; who comes second lets it be.
-- Locks: advisory lock 0x636f727269646f73 of the transaction, tried and not waited for
-- Oldest version: 14
select pg_catalog.pg_try_advisory_xact_lock(7165071367889776499)
