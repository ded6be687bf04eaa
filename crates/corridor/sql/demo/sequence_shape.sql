-- Purpose: the wanted table of the demo's orders: as it was, with a bigint for the key. What corridor move reads with --to.
-- Locks: none; corridor move tries it in a transaction that it rolls back
-- Oldest version: 14
create table orders (
    k bigint not null,
    token bigint not null,
    note text,
    amount numeric,
    blob text,
    slot bigint,
    version bigint not null default 0,
    id bigint primary key
)
