-- Purpose: one migration by name. digest_now is the digest of the plan as it stands in the row.
-- Locks: access share on corridor.migration
-- Oldest version: 14
select
    id,
    name,
    kind,
    description,
    plan::text as plan,
    plan_digest,
    encode(sha256(convert_to(plan::text, 'UTF8')), 'hex') as digest_now,
    state,
    state_detail::text as state_detail,
    current_operation,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
    created_by,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
    to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as finished_at,
    (extract(epoch from finished_at - started_at) * 1000)::float8 as took_ms
from corridor.migration
where name = $1
