/* corridor */
-- Purpose: age of the oldest transaction, ours left out, prepared ones included.
-- Locks: none
-- Oldest version: 14
select
    coalesce(greatest(
        (
            select max(extract(epoch from clock_timestamp() - xact_start))
            from pg_stat_activity
            where backend_type = 'client backend'
              and coalesce(application_name, '') not like 'corridor:%'
        ),
        (
            select max(extract(epoch from clock_timestamp() - prepared))
            from pg_prepared_xacts
        ),
        0
    ), 0)::float8 as figure,
    (
        select count(*)
        from pg_stat_activity
        where query = '<insufficient privilege>'
          and usesysid is not null
    ) as hidden
