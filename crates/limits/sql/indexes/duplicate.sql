-- Purpose: pairs of indexes of one table of which the second can do all that the first can.
-- Locks: ACCESS SHARE on the tables of pairs with a predicate or an expression, to print it
-- Oldest version: 14
with x as materialized (
    select
        i.indexrelid, i.indrelid, i.indnatts, i.indnkeyatts, i.indisunique, i.indisprimary, i.indimmediate,
        i.indisreplident, i.indisclustered, i.indpred, i.indexprs,
        i.indkey::int2[] as keys, i.indclass::oid[] as classes, i.indcollation::oid[] as collations,
        i.indoption::int2[] as options,
        c.relname, c.relam, c.relpages, c.relkind
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where i.indisvalid
        and i.indislive
        and not i.indisexclusion
        and not c.relispartition
        and c.relpersistence <> 't'
        and c.relnamespace = any (array(
            select n.oid
            from pg_namespace n
            where n.nspname !~ '^pg_'
                and n.nspname not in ('information_schema', 'corridor')
                and ($1::text is null or n.nspname = $1)
        ))
        and ($1::text is null or i.indrelid = (
            select r.oid
            from pg_class r
            join pg_namespace n on n.oid = r.relnamespace
            where n.nspname = $1 and r.relname = $2
        ))
), pair as materialized (
    select a.indrelid, a as first, b as second
    from x a
    join x b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid and b.relam = a.relam
    where a.indimmediate = b.indimmediate
        -- The first key is compared alone before anything is cut out of arrays: most pairs end here.
        and a.keys[0] = b.keys[0]
        and (
            (
                a.indexrelid < b.indexrelid
                and a.indnatts = b.indnatts
                and a.indnkeyatts = b.indnkeyatts
                and a.keys = b.keys
                and a.classes = b.classes
                and a.collations = b.collations
                and a.options = b.options
            )
            or (
                -- A prefix: of a btree whose keys are columns alone, without columns that it only carries.
                a.relam = (select m.oid from pg_am m where m.amname = 'btree')
                and not a.indisunique
                and not a.indisreplident
                and a.indnatts = a.indnkeyatts
                and a.indnkeyatts < b.indnkeyatts
                and a.indexprs is null
                and a.keys[0:a.indnkeyatts - 1] = b.keys[0:a.indnkeyatts - 1]
                and a.classes[0:a.indnkeyatts - 1] = b.classes[0:a.indnkeyatts - 1]
                and a.collations[0:a.indnkeyatts - 1] = b.collations[0:a.indnkeyatts - 1]
                and a.options[0:a.indnkeyatts - 1] = b.options[0:a.indnkeyatts - 1]
            )
        )
        and (a.indpred is null) = (b.indpred is null)
        and case
            when a.indpred is null then true
            else pg_get_expr(a.indpred, a.indrelid) = pg_get_expr(b.indpred, b.indrelid)
        end
        and case
            when a.indexprs is null then b.indexprs is null or a.indnkeyatts < b.indnkeyatts
            else pg_get_expr(a.indexprs, a.indrelid) = pg_get_expr(b.indexprs, b.indrelid)
        end
    order by a.relpages desc, a.indexrelid, b.indexrelid
    limit 60
)
select
    n.nspname::text as schema_name,
    r.relname::text as table_name,
    (p.first).relname::text as first_name,
    k.conname::text as first_constraint,
    (p.first).indisunique as first_is_unique,
    (p.first).indisprimary as first_is_primary,
    (p.first).indisreplident as first_is_identity,
    (p.first).indisclustered as first_is_clustered,
    (p.first).relpages::float8 as first_pages,
    coalesce(pg_stat_get_numscans((p.first).indexrelid), 0)::float8 as first_scans,
    (p.second).relname::text as second_name,
    l.conname::text as second_constraint,
    (p.second).indisunique as second_is_unique,
    (p.second).indisprimary as second_is_primary,
    (p.second).indisreplident as second_is_identity,
    (p.second).indisclustered as second_is_clustered,
    (p.second).relpages::float8 as second_pages,
    coalesce(pg_stat_get_numscans((p.second).indexrelid), 0)::float8 as second_scans,
    (p.first).indnatts = (p.second).indnatts and (p.first).indnkeyatts = (p.second).indnkeyatts as is_same,
    (p.first).relkind = 'I' as is_partitioned
from pair p
join pg_class r on r.oid = p.indrelid
join pg_namespace n on n.oid = r.relnamespace
left join pg_constraint k
    on k.conindid = (p.first).indexrelid and k.conrelid = p.indrelid and k.contype in ('p', 'u')
left join pg_constraint l
    on l.conindid = (p.second).indexrelid and l.conrelid = p.indrelid and l.contype in ('p', 'u')
order by (p.first).relpages desc, (p.first).indexrelid, (p.second).indexrelid
