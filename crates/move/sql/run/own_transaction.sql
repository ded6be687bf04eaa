-- Purpose: which transaction this is, for whoever has to ask later how it ended.
-- Locks: none; the transaction gets an id if it had none
-- Oldest version: 14
select pg_current_xact_id()::text as xid
