-- Purpose: keep the newest 2,000 notes of each migration that is worked.
-- Locks: row exclusive on corridor.pace
-- Oldest version: 14
delete from corridor.pace p
using unnest($1::bigint[]) as worked (id)
where p.migration_id = worked.id
  and p.at <= (
      select older.at
      from corridor.pace older
      where older.migration_id = worked.id
      order by older.at desc
      offset $2
      limit 1
  )
