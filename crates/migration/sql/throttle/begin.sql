/* corridor */
-- Purpose: one read-only transaction for all signals of a sample; no query of it takes long.
-- Locks: none
-- Oldest version: 14
begin isolation level read committed read only;
set local statement_timeout = '1s';
set local lock_timeout = '500ms'
