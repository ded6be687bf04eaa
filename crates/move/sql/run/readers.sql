-- Purpose: who may read a table, its owner included; null is public.
-- Locks: none
-- Oldest version: 14
select distinct r.rolname::text as grantee
from pg_class c
cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
left join pg_roles r on r.oid = a.grantee
where c.oid = $1
  and a.privilege_type = 'SELECT'
