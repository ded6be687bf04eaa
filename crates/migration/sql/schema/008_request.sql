-- Purpose: what was asked of a worker that is at work.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.request (
    id bigint generated always as identity primary key,
    migration_id bigint not null references corridor.migration on delete cascade,
    verb text collate "C" not null check (verb in (
        'start', 'resume', 'pause', 'stop', 'verify', 'cutover', 'rollback', 'finish'
    )),
    argument jsonb not null default '{}' check (jsonb_typeof(argument) = 'object'),
    asked_by text not null check (asked_by <> ''),
    asked_at timestamptz not null default clock_timestamp(),
    taken_at timestamptz,
    answered_at timestamptz,
    outcome jsonb check (jsonb_typeof(outcome) = 'object'),
    constraint taken_before_answered check (taken_at is not null or answered_at is null),
    constraint answered_with_an_outcome check ((answered_at is null) = (outcome is null))
)
