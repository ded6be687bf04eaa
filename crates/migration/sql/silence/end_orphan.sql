-- Purpose: end the backend of a connection of ours that was lost; no row: it is gone.
-- Locks: none
-- Oldest version: 14
select pg_terminate_backend(pid)
from pg_stat_activity
where pid = $1
  and application_name = $2
  and pid <> pg_backend_pid()
