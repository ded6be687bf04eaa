-- Purpose: WAL that nobody needs is taken away by a checkpoint.
-- Locks: none
-- Oldest version: 14
checkpoint
