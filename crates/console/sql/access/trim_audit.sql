-- Purpose: keep the newest entries of the audit.
-- Locks: row exclusive on corridor.audit
-- Oldest version: 14
delete from corridor.audit
where id <= (select max(id) from corridor.audit) - $1::bigint
