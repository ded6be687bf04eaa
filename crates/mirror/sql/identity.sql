-- Purpose: which tables have the names of source and target now.
-- Locks: none; the caller has locked both
-- Oldest version: 14
select $1::text::regclass::oid as source_oid, $2::text::regclass::oid as target_oid
