-- Purpose: the sizes that the planner is to believe in, by the server's own function. $1: schemas, $2: names, $3: pages, $4: rows,
--   $5: pages that all see.
-- Locks: share update exclusive on each relation. For who may maintain them.
-- Oldest version: 18
select pg_catalog.count(pg_catalog.pg_restore_relation_stats(
    'schemaname', s.schema, 'relname', s.relation, 'relpages', s.pages, 'reltuples', s.tuples, 'relallvisible', least(s.visible, s.pages)))
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::int4[]), pg_catalog.unnest($4::float4[]), pg_catalog.unnest($5::int4[])) s (schema, relation, pages, tuples, visible)
where pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.schema, s.relation)) is not null
