-- Purpose: a session that only reads, alone and without compiling.
-- Locks: none
-- Oldest version: 14
set session characteristics as transaction read only;
set max_parallel_workers_per_gather = 0;
set jit = off;
