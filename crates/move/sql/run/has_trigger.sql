-- Purpose: whether a table has a trigger of this name.
-- Locks: none
-- Oldest version: 14
select exists (
    select
    from pg_trigger
    where tgrelid = $1
      and tgname = $2::text
) as is_there
