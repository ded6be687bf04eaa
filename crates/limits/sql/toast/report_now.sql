-- Purpose: this session's own statistics are reported at the end of this statement.
-- Locks: none
-- Oldest version: 15
select pg_stat_force_next_flush()
