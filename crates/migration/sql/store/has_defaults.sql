-- Purpose: whether this schema has settings of all migrations; one that an older Corridor made has not.
-- Locks: none
-- Oldest version: 14
select to_regclass('corridor.default_setting') is not null as has_defaults
