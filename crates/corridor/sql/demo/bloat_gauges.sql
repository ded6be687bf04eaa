-- Purpose: the bytes of the table and of its indexes.
-- Locks: none that anybody waits for
-- Oldest version: 14
select
    pg_table_size('public.accounts')::float8 as table_bytes,
    pg_indexes_size('public.accounts')::float8 as index_bytes
