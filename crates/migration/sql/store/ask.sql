-- Purpose: leave a request for the worker. No row comes back when too many are open.
-- Locks: row exclusive on corridor.request
-- Oldest version: 14
insert into corridor.request (migration_id, verb, argument, asked_by)
select $1::bigint, $2::text, $3::text::jsonb, $4::text
where (
    select count(*)
    from corridor.request
    where migration_id = $1
      and answered_at is null
) < $5
returning id
