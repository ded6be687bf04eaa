-- Purpose: end one sign-in.
-- Locks: row exclusive on corridor.sign_in
-- Oldest version: 14
delete from corridor.sign_in where digest = $1
