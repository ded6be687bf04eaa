-- Purpose: end all tokens of an account; tells whether there is such an account.
-- Locks: row exclusive on corridor.token, row share on corridor.account
-- Oldest version: 14
with theirs as (
    select id from corridor.account where name = $1 for update
), gone as (
    delete from corridor.token t using theirs where t.account_id = theirs.id
)
select id from theirs
