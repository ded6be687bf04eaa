-- Purpose: plans of this session are not compiled: the lists' plans look dear to the planner, and compiling one takes seconds.
-- Locks: none
-- Oldest version: 14
select pg_catalog.set_config('jit', 'off', false)
