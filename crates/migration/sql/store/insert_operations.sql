-- Purpose: store the operations of a plan in their order.
-- Locks: row exclusive on corridor.operation
-- Oldest version: 14
insert into corridor.operation (migration_id, position, name)
select $1::bigint, given.position::int, given.name
from unnest($2::text[]) with ordinality as given (name, position)
