-- Purpose: a role by its name, or the session's own.
-- Locks: access share on catalogues
-- Oldest version: 14
select r.rolname::text as role, r.rolsuper as is_superuser
from pg_roles r
where r.rolname = coalesce($1::text, current_user::text)
