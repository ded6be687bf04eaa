-- Purpose: delete what is too old, a few thousand rows at a time: of resolution $1, older than $2 seconds, at most $3.
-- Locks: row exclusive on corridor.sample; rows that somebody else deletes are left to them
-- Oldest version: 14
delete from corridor.sample
where ctid = any (array(
    select ctid
    from corridor.sample
    where resolution = $1::smallint
      and at < clock_timestamp() - $2::float8 * interval '1 second'
    order by at
    limit $3::bigint
    for update skip locked
))
