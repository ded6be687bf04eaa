-- Purpose: the settings that say when a vacuum is due and how fast it may go, in their base units.
-- Locks: none
-- Oldest version: 14
select name, setting::float8 as setting
from pg_settings
where vartype in ('integer', 'real')
    and name = any ($1::text[])
