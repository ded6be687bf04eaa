/* corridor */
-- Purpose: statements of the application that wrote, and the shared buffers they touched; two of them make a rate.
-- What a trigger or the TOAST relation costs counts for the statement that caused it; a statement under way does not count yet.
-- Locks: none
-- Oldest version: 14
select
    coalesce(sum(s.calls), 0)::float8 as writes,
    coalesce(sum(s.shared_blks_hit + s.shared_blks_read), 0)::float8 as buffers
from public.pg_stat_statements s
join pg_catalog.pg_roles r on r.oid = s.userid
where r.rolname = 'app'
  and s.query ~* '^\s*(insert|update|delete)'
