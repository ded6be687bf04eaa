-- Purpose: a new account; no row comes back when the name is taken.
-- Locks: row exclusive on corridor.account
-- Oldest version: 14
insert into corridor.account (name, role, password_hash, password_set_at, created_by)
values ($1, $2, $3, case when $3::text is not null then clock_timestamp() end, $4)
on conflict (name) do nothing
returning id
