-- Purpose: secrets of programs that use the HTTP interface; only their digests are here.
-- Locks: share row exclusive on corridor.account (foreign key)
-- Oldest version: 14
create table corridor.token (
    id bigint generated always as identity primary key,
    account_id bigint not null references corridor.account on delete cascade,
    name text not null check (name <> '' and char_length(name) <= 100),
    digest bytea not null unique check (octet_length(digest) = 32),
    -- Never more than its account may.
    role text collate "C" not null check (role in ('viewer', 'operator', 'admin')),
    created_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz,
    expires_at timestamptz,
    unique (account_id, name)
)
