-- Purpose: one row for each migration. The plan is frozen: its digest is checked with every load.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.migration (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,40}$'),
    kind text collate "C" not null check (kind ~ '^[a-z][a-z0-9_]{0,30}$'),
    description text not null,
    plan jsonb not null,
    plan_digest text collate "C" not null check (plan_digest ~ '^[0-9a-f]{64}$'),
    state text collate "C" not null default 'planned' check (state in (
        'planned', 'running', 'paused', 'waiting', 'cutting_over', 'rolling_back', 'rolled_back', 'stopping',
        'stopped', 'finishing', 'finished', 'failed', 'ambiguous'
    )),
    state_detail jsonb not null default '{}',
    current_operation text collate "C",
    -- Numbers the journal. Counting here makes writers of the journal wait for each other, so it has no gaps.
    journal_count bigint not null default 0 check (journal_count >= 0),
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    started_at timestamptz,
    finished_at timestamptz,
    -- Which data belongs to which state. `is true`, because a check lets NULL pass.
    constraint state_has_its_detail check (case state
        when 'paused' then jsonb_typeof(state_detail -> 'by') = 'string'
            and jsonb_typeof(state_detail -> 'why') = 'string'
            and state_detail ->> 'course' in ('forward', 'hold', 'swap_back', 'clean_up', 'stop', 'finish')
        when 'failed' then jsonb_typeof(state_detail -> 'code') = 'string'
            and jsonb_typeof(state_detail -> 'detail') = 'string'
            and state_detail ->> 'course' in ('forward', 'hold', 'swap_back', 'clean_up', 'stop', 'finish')
        when 'waiting' then state_detail ->> 'for_what' in ('cutover', 'finish')
        when 'rolling_back' then state_detail ->> 'side' in ('before_cutover', 'after_cutover')
        when 'ambiguous' then jsonb_typeof(state_detail -> 'what') = 'string'
            and state_detail ->> 'swap' in ('forward', 'back')
        else state_detail = '{}'
    end is true),
    -- A planned migration may be stopped or rolled back without ever having begun.
    constraint begun_has_a_time check (case
        when state = 'planned' then started_at is null
        when state in ('stopped', 'rolled_back') then true
        else started_at is not null
    end),
    constraint ended_has_a_time check (
        (state in ('finished', 'rolled_back', 'stopped')) = (finished_at is not null)
    )
)
