-- Purpose: how many sequences there are, and how many have values that this role may not read.
-- Locks: none
-- Oldest version: 14
select
    count(*)::float8 as sequences,
    (count(*) filter (where not has_sequence_privilege(s.seqrelid, 'select,usage')))::float8 as hidden
from pg_sequence s
