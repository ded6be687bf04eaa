-- Purpose: what autovacuum goes by, and how many of its workers are busy.
-- Locks: none
-- Oldest version: 14
select
    current_setting('autovacuum')::bool and current_setting('track_counts')::bool as is_on,
    current_setting('autovacuum_max_workers')::float8 as workers_max,
    (select count(*) from pg_stat_activity a where a.backend_type = 'autovacuum worker')::float8 as workers_busy,
    current_setting('autovacuum_vacuum_threshold')::float8 as vacuum_threshold,
    current_setting('autovacuum_vacuum_scale_factor')::float8 as vacuum_scale,
    current_setting('autovacuum_vacuum_max_threshold', true)::float8 as vacuum_max,
    current_setting('autovacuum_vacuum_insert_threshold')::float8 as insert_threshold,
    current_setting('autovacuum_vacuum_insert_scale_factor')::float8 as insert_scale,
    (select s.setting::float8 from pg_settings s where s.name = 'autovacuum_vacuum_cost_limit') as own_cost_limit,
    (select s.setting::float8 from pg_settings s where s.name = 'vacuum_cost_limit') as cost_limit,
    (select s.setting::float8 from pg_settings s where s.name = 'autovacuum_vacuum_cost_delay') as own_delay_ms,
    (select s.setting::float8 from pg_settings s where s.name = 'vacuum_cost_delay') as delay_ms,
    current_setting('vacuum_cost_page_miss')::float8 as cost_miss,
    current_setting('vacuum_cost_page_dirty')::float8 as cost_dirty,
    extract(epoch from clock_timestamp())::float8 as now_s,
    (
        select extract(epoch from greatest(
            pg_stat_get_db_stat_reset_time(d.oid),
            pg_stat_get_bgwriter_stat_reset_time()
        ))
        from pg_database d
        where d.datname = current_database()
    )::float8 as since_s
