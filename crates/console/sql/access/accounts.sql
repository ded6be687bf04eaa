-- Purpose: all accounts, for those who look after them.
-- Locks: access share on corridor.account and corridor.sign_in
-- Oldest version: 14
select
    a.id,
    a.name,
    a.role,
    a.password_hash is not null as has_password,
    a.is_disabled,
    to_char(a.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at,
    a.created_by,
    (
        select to_char(max(s.seen_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        from corridor.sign_in s
        where s.account_id = a.id
    ) as seen_at
from corridor.account a
order by a.name
limit 1000
