-- Purpose: whether something has the name of the fallback view, and whether it is ours, by its comment.
-- Locks: none
-- Oldest version: 14
select
    to_regclass($1::text) is not null as is_there,
    coalesce(obj_description(to_regclass($1::text), 'pg_class') like 'corridor: fallback%', false) as is_ours
