-- Purpose: learn which steps the schema has.
-- Locks: access share on corridor.schema_version
-- Oldest version: 14
select coalesce(max(version), 0) as version
from corridor.schema_version
