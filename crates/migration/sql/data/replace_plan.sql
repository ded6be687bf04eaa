-- Purpose: replace the plan of a migration that has not been started.
-- Locks: row exclusive on corridor.migration
-- Oldest version: 14
update corridor.migration
set
    plan = $2::text::jsonb,
    plan_digest = encode(sha256(convert_to(($2::text::jsonb)::text, 'UTF8')), 'hex'),
    description = $3
where id = $1
  and state = 'planned'
