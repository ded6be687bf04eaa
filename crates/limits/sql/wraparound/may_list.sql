-- Purpose: whether this role may count the files of MultiXact members.
-- Locks: none
-- Oldest version: 14
select has_function_privilege('pg_catalog.pg_ls_dir(text)', 'execute') as may_list
