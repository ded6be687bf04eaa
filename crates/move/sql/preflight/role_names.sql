-- Purpose: roles that could have been meant.
-- Locks: access share on catalogues
-- Oldest version: 14
select r.rolname::text as role
from pg_roles r
where r.rolname !~ '^pg_'
order by r.rolname
limit 10000
