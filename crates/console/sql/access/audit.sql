-- Purpose: one entry of the audit.
-- Locks: row exclusive on corridor.audit
-- Oldest version: 14
insert into corridor.audit (actor, action, object, detail)
values ($1, $2, $3, $4::text::jsonb)
