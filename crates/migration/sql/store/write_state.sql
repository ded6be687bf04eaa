-- Purpose: write the state that a transition leads to.
-- Locks: row exclusive on corridor.migration; the row is locked already
-- Oldest version: 14
update corridor.migration
set
    state = $2::text,
    state_detail = $3::text::jsonb,
    started_at = case when $2::text in ('planned', 'stopped', 'rolled_back') then started_at
        else coalesce(started_at, clock_timestamp()) end,
    finished_at = case when $2::text in ('finished', 'stopped', 'rolled_back') then clock_timestamp() end
where id = $1
