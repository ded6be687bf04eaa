-- Purpose: the backfills of a migration, and where each is.
-- Locks: access share on corridor.backfill, corridor.item
-- Oldest version: 14
select
    b.operation,
    b.items,
    i.position,
    i.value,
    array_to_string(i.last_key, ', ') as last_key,
    i.rows,
    i.is_done
from corridor.backfill b
join corridor.operation o on o.migration_id = b.migration_id and o.name = b.operation
left join lateral (
    select i.position, i.value, i.last_key, i.rows, i.is_done
    from corridor.item i
    where i.migration_id = b.migration_id
      and i.operation = b.operation
      and i.batches > 0
      and not i.is_done
    order by i.position
    limit 1
) i on true
where b.migration_id = $1
order by o.position
limit $2
