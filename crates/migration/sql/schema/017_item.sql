-- Purpose: the ledger of a backfill: how far each item is, written with the rows.
-- Locks: share row exclusive on corridor.backfill (foreign key)
-- Oldest version: 14
create table corridor.item (
    migration_id bigint not null,
    operation text collate "C" not null,
    position bigint not null check (position > 0),
    value text,
    -- The last key that is done, as text, column by column; null before the first batch.
    last_key text[],
    rows bigint not null default 0 check (rows >= 0),
    batches bigint not null default 0 check (batches >= 0),
    is_done bool not null default false,
    primary key (migration_id, operation, position),
    foreign key (migration_id, operation) references corridor.backfill on delete cascade
)
