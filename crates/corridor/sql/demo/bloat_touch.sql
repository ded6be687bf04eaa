-- Purpose: a job that writes rows anew as they are; those that somebody has locked it leaves out, so that nobody waits for it twice.
-- Locks: ROW EXCLUSIVE on public.accounts, and the rows
-- Oldest version: 14
update public.accounts a
set version = a.version
where a.ctid = any (array(
    select f.ctid from public.accounts f
    where f.k >= $1::bigint and f.k < $2::bigint
    for update skip locked
))
