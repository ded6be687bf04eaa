-- Purpose: keep the newest answered requests only.
-- Locks: row exclusive on corridor.request
-- Oldest version: 14
delete from corridor.request
where migration_id = $1
  and answered_at is not null
  and id < (
      select min(id)
      from (
          select id
          from corridor.request
          where migration_id = $1
            and answered_at is not null
          order by id desc
          limit $2
      ) as newest
  )
