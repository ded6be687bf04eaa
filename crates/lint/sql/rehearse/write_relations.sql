-- Purpose: the sizes that the planner is to believe in. $1: names, $2: pages, $3: rows, $4: pages that all see.
-- Locks: row exclusive on pg_class. Wants a superuser with allow_system_table_mods; for clones.
-- Oldest version: 14
update pg_catalog.pg_class c
set relpages = s.pages, reltuples = s.tuples, relallvisible = least(s.visible, s.pages)
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::int4[]), pg_catalog.unnest($3::float4[]), pg_catalog.unnest($4::int4[])) s (name, pages, tuples, visible)
where c.oid = pg_catalog.to_regclass(s.name)
