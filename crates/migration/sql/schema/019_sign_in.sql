-- Purpose: who is signed in. The cookie holds a secret, this table its digest: who reads the table cannot sign in with it.
-- Locks: share row exclusive on corridor.account (foreign key)
-- Oldest version: 14
create table corridor.sign_in (
    digest bytea primary key check (octet_length(digest) = 32),
    account_id bigint not null references corridor.account on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    address text not null default ''
)
