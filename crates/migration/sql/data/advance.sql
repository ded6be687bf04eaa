-- Purpose: write a batch into the ledger, with its rows. Without a key, nothing is left of the item.
-- Locks: row exclusive on corridor.item
-- Oldest version: 14
update corridor.item
set
    last_key = coalesce($4::text[], last_key),
    rows = rows + $5,
    batches = batches + ($4::text[] is not null)::int,
    is_done = $4::text[] is null
where migration_id = $1
  and operation = $2
  and position = $3
