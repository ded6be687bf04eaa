-- Purpose: end all sign-ins of an account that has another password, or may not come in any more.
-- Locks: row exclusive on corridor.sign_in
-- Oldest version: 14
delete from corridor.sign_in s
using corridor.account a
where a.id = s.account_id and a.name = $1
