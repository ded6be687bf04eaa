-- Purpose: forget sign-ins that have expired, and all but the newest 50 of an account.
-- Locks: row exclusive on corridor.sign_in
-- Oldest version: 14
delete from corridor.sign_in
where expires_at < clock_timestamp()
   or digest in (
        select s.digest
        from corridor.sign_in s
        where s.account_id = $1
        order by s.created_at desc
        offset 50
    )
