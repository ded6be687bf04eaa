-- Purpose: end all sign-ins of an account, save one.
-- Locks: row exclusive on corridor.sign_in
-- Oldest version: 14
delete from corridor.sign_in where account_id = $1 and digest <> $2
