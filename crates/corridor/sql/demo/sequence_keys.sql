-- Purpose: the keys of the demo's orders: the integer, and what the application finds a row by.
-- Locks: ACCESS EXCLUSIVE on public.orders, which is new
-- Oldest version: 14
alter table public.orders add primary key (id), add unique (k)
