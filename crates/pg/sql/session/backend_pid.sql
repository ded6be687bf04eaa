-- Purpose: which server process answers now; behind a pooler in transaction mode it is another one each time.
-- Locks: none
-- Oldest version: 14
select pg_backend_pid() as backend_pid
