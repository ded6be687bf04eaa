-- Purpose: how a transaction ended whose answer was lost: committed, aborted, in progress; null when it is long ago.
-- Locks: none
-- Oldest version: 14
select pg_xact_status($1::text::xid8) as status
