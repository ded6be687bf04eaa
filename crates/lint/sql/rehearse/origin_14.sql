-- Purpose: what a clone of this database needs to know of it, and of its server.
-- Locks: access share on catalogues.
-- Oldest version: 14; of 14 only, which has one provider of collations
select
    pg_catalog.current_setting('server_version') as version,
    pg_catalog.current_setting('server_version_num')::int4 / 10000 as major,
    pg_catalog.pg_postmaster_start_time()::text as started,
    pg_catalog.pg_encoding_to_char(d.encoding)::text as encoding,
    d.datcollate::text as lc_collate,
    d.datctype::text as lc_ctype,
    true as is_libc,
    session_user::text as login,
    array(
        select r.rolname::text
        from pg_catalog.pg_roles r
        where r.rolname !~ '^pg_' and (
            r.oid = 10 or r.rolname = session_user or r.oid in (
                select s.refobjid from pg_catalog.pg_shdepend s
                where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.dbid = d.oid))
        order by 1
    ) as roles,
    array(
        select distinct t.spcname::text
        from pg_catalog.pg_tablespace t
        join pg_catalog.pg_class c on c.reltablespace = t.oid
        where t.spcname !~ '^pg_'
        order by 1
    ) as tablespaces,
    array(
        select s.name || '=' || s.reset_val
        from pg_catalog.pg_settings s
        where s.name in ('search_path', 'TimeZone', 'DateStyle', 'IntervalStyle', 'default_table_access_method',
            'default_toast_compression', 'standard_conforming_strings', 'quote_all_identifiers', 'check_function_bodies')
    ) as settings,
    (select pg_catalog.count(*) from pg_catalog.pg_statistic_ext) as extended
from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database()
