-- Purpose: relations that a vacuum is at now.
-- Locks: none
-- Oldest version: 14
select p.relid as oid
from pg_stat_progress_vacuum p
where p.relid is not null
    and p.datid = (select d.oid from pg_database d where d.datname = current_database())
