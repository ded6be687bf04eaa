-- Purpose: what became of a request.
-- Locks: access share on corridor.request
-- Oldest version: 14
select
    taken_at is not null as is_taken,
    outcome::text as outcome
from corridor.request
where id = $1
