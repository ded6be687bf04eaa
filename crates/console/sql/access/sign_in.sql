-- Purpose: remember a sign-in, for so many hours.
-- Locks: row exclusive on corridor.sign_in
-- Oldest version: 14
insert into corridor.sign_in (digest, account_id, expires_at, address)
values ($1, $2, clock_timestamp() + make_interval(hours => $3), $4)
