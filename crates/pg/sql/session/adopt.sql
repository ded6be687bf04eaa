-- Purpose: give the session the settings that every session of Corridor has, and learn who serves it.
-- Locks: none
-- Oldest version: 14
select
    pg_backend_pid() as backend_pid,
    current_setting('server_version_num')::int as server_version_num,
    set_config('application_name', $1, false),
    set_config('lock_timeout', '10s', false),
    set_config('statement_timeout', '10min', false),
    set_config('idle_in_transaction_session_timeout', '60s', false),
    set_config('search_path', 'pg_catalog, pg_temp', false),
    -- A statement that row security would narrow fails instead.
    set_config('row_security', 'off', false),
    set_config('datestyle', 'ISO, YMD', false),
    set_config('intervalstyle', 'postgres', false),
    set_config('timezone', 'UTC', false),
    set_config('extra_float_digits', '1', false),
    set_config('bytea_output', 'hex', false)
