-- Purpose: the id of a relation by its quoted, qualified name.
-- Locks: none
-- Oldest version: 14
select $1::text::regclass::oid as oid
