-- Purpose: a new token; no row comes back when its name is taken.
-- Locks: row exclusive on corridor.token
-- Oldest version: 14
insert into corridor.token (account_id, name, digest, role, expires_at)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(days => $5))
on conflict (account_id, name) do nothing
returning id
