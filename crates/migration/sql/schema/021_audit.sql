-- Purpose: what was done through the console and the HTTP interface, by whom and why; append-only, the newest 100,000.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null check (actor <> ''),
    action text collate "C" not null check (action ~ '^[a-z][a-z0-9_]{0,60}$'),
    -- What it was done to: `migration main/0003_fill`, `account anna`, `setting auto_start`.
    object text not null,
    detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object')
)
