-- Purpose: who may use the console and the HTTP interface, and as what.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.account (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique check (name ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
    role text collate "C" not null check (role in ('viewer', 'operator', 'admin')),
    -- Argon2id in the PHC form; null: this account has no password, it comes through a trusted proxy or by token.
    password_hash text check (password_hash like '$argon2id$%'),
    password_set_at timestamptz,
    is_disabled bool not null default false,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null check (created_by <> ''),
    constraint password_has_a_time check ((password_hash is null) = (password_set_at is null))
)
