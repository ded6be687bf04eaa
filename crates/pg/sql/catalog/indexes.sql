-- Purpose: every index of a table, with its key columns one by one and the text of its definition after "using".
-- Locks: access share on catalogues; pg_get_indexdef opens nothing
-- Oldest version: 14 (indnullsnotdistinct: 15, read through to_jsonb)
select coalesce(jsonb_agg(to_jsonb(t) order by t.is_primary desc, t.name), '[]')::text
from (
    select
        i.indexrelid::int8 as oid,
        (select h.inhparent::int8 from pg_inherits h where h.inhrelid = i.indexrelid) as parent_oid,
        c.relname as name,
        am.amname as method,
        pg_get_indexdef(i.indexrelid) as definition,
        i.indisunique as is_unique,
        i.indisprimary as is_primary,
        i.indisexclusion as is_exclusion,
        i.indimmediate as is_immediate,
        i.indisvalid and i.indisready and i.indislive as is_valid,
        i.indisclustered as is_clustered,
        i.indisreplident as is_replica_identity,
        coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) as is_nulls_not_distinct,
        k.oid::int8 as constraint_oid,
        k.conname as constraint_name,
        pg_get_expr(i.indpred, i.indrelid) as predicate,
        i.indexprs is not null as has_expressions,
        coalesce(to_jsonb(c.reloptions), '[]') as options,
        ts.spcname as tablespace,
        obj_description(i.indexrelid, 'pg_class') as comment,
        pg_relation_size(i.indexrelid) as bytes,
        (
            select jsonb_agg(
                jsonb_build_object(
                    'column', a.attname,
                    'definition', pg_get_indexdef(i.indexrelid, s.n, false),
                    'is_included', s.n > i.indnkeyatts,
                    'opclass', case when s.n <= i.indnkeyatts
                        then jsonb_build_object('schema', opn.nspname, 'name', op.opcname) end,
                    'is_default_opclass', coalesce(op.opcdefault, true) and ia.attoptions is null,
                    'collation', case when co.oid is not null
                        then jsonb_build_object('schema', cn.nspname, 'name', co.collname) end,
                    'is_column_collation', coalesce(a.attcollation, 0) = coalesce(i.indcollation[s.n - 1], 0),
                    'is_desc', s.n <= i.indnkeyatts and coalesce(i.indoption[s.n - 1] & 1, 0) = 1,
                    'is_nulls_first', s.n <= i.indnkeyatts and coalesce(i.indoption[s.n - 1] & 2, 0) = 2,
                    'statistics_target', nullif((to_jsonb(ia) ->> 'attstattarget')::int4, -1)
                )
                order by s.n
            )
            from generate_series(1, i.indnatts::int4) as s (n)
            left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[s.n - 1] and a.attnum <> 0
            left join pg_attribute ia on ia.attrelid = i.indexrelid and ia.attnum = s.n
            left join pg_opclass op on s.n <= i.indnkeyatts and op.oid = i.indclass[s.n - 1]
            left join pg_namespace opn on opn.oid = op.opcnamespace
            left join pg_collation co on s.n <= i.indnkeyatts and co.oid = i.indcollation[s.n - 1]
            left join pg_namespace cn on cn.oid = co.collnamespace
        ) as columns
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am am on am.oid = c.relam
    left join pg_tablespace ts on ts.oid = c.reltablespace
    left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
    where i.indrelid = $1
) t
