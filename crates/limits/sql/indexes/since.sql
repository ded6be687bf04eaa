-- Purpose: since when the statistics of this database are counted, and who else may read it.
-- Locks: none
-- Oldest version: 14
select
    -- After a crash those of the database are gone without a word; those of the whole server say when that was.
    extract(epoch from greatest(
        pg_stat_get_db_stat_reset_time(d.oid),
        pg_stat_get_bgwriter_stat_reset_time()
    ))::float8 as since_s,
    (select count(*) from pg_stat_replication r where r.state = 'streaming')::int8 as replicas
from pg_database d
where d.datname = current_database()
