-- Purpose: all accounts, for those who look after them, and when each was last seen, signed in or by a token.
-- Locks: access share on corridor.account, corridor.sign_in and corridor.token
-- Oldest version: 14
select
    a.id,
    a.name,
    a.role,
    a.password_hash is not null as has_password,
    a.is_disabled,
    to_char(a.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at,
    a.created_by,
    to_char(
        greatest(
            (select max(s.seen_at) from corridor.sign_in s where s.account_id = a.id),
            (select max(t.seen_at) from corridor.token t where t.account_id = a.id)
        ) at time zone 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS"Z"'
    ) as seen_at
from corridor.account a
order by a.name
limit 1000
