-- Purpose: parents and children of a table, by inheritance or partitioning.
-- Locks: access share on catalogues
-- Oldest version: 14
select jsonb_build_object(
    'parents', coalesce((
        select jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname) order by i.inhseqno)
        from pg_inherits i
        join pg_class c on c.oid = i.inhparent
        join pg_namespace n on n.oid = c.relnamespace
        where i.inhrelid = $1
    ), '[]'),
    'children', coalesce((
        select jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname) order by c.oid)
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        join pg_namespace n on n.oid = c.relnamespace
        where i.inhparent = $1
    ), '[]'),
    'partition_key', (select pg_get_partkeydef(p.partrelid) from pg_partitioned_table p where p.partrelid = $1)
)::text
