-- Purpose: whether an account can sign in with a password.
-- Locks: access share on corridor.account
-- Oldest version: 14
select password_hash is not null as has_password
from corridor.account
where id = $1
