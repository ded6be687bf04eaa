-- Purpose: record that one step was taken; in the transaction that took it.
-- Locks: row exclusive on corridor.schema_version
-- Oldest version: 14
insert into corridor.schema_version (version, step, applied_by)
values ($1, $2, session_user || ' ' || current_setting('application_name'))
