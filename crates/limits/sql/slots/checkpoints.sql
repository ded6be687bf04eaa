-- Purpose: checkpoints, and those of them that came before their time.
-- Locks: none
-- Oldest version: 17
select num_timed::float8 as timed, num_requested::float8 as requested
from pg_stat_checkpointer
