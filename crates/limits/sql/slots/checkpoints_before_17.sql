-- Purpose: checkpoints, and those of them that came before their time; to PostgreSQL 16.
-- Locks: none
-- Oldest version: 14
select checkpoints_timed::float8 as timed, checkpoints_req::float8 as requested
from pg_stat_bgwriter
