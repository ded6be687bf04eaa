-- Purpose: what the role lacks to keep a history, as statements.
-- Locks: none
-- Oldest version: 14
with schema as (
    select n.oid from pg_catalog.pg_namespace n where n.nspname = 'corridor'
),
wanted as (
    select 1 as place, format('grant create on database %I to %I', current_database(), current_user) as statement
    where not exists (select from schema)
      and not has_database_privilege(current_database(), 'create')
    union all
    select 2, format('grant usage on schema corridor to %I', current_user)
    from schema
    where not has_schema_privilege(oid, 'usage')
    union all
    -- Steps that are missing are made by the role that owns the schema, or by one that may create in it.
    select 3, format('grant create on schema corridor to %I', current_user)
    from schema
    where not has_schema_privilege(oid, 'create')
      and (select count(*) from pg_catalog.pg_class c
           where c.relnamespace = schema.oid and c.relname in ('series', 'sample', 'collector')) < 3
    union all
    select 4, format('grant select, insert on corridor.schema_version to %I', current_user)
    from schema
    join pg_catalog.pg_class c on c.relnamespace = schema.oid and c.relname = 'schema_version'
    where not has_table_privilege(c.oid, 'select')
    union all
    select 5, format('grant select, insert, update, delete on corridor.%I to %I', c.relname, current_user)
    from schema
    join pg_catalog.pg_class c on c.relnamespace = schema.oid and c.relname in ('series', 'sample', 'collector')
    where not (
        has_table_privilege(c.oid, 'select')
        and has_table_privilege(c.oid, 'insert')
        and has_table_privilege(c.oid, 'update')
        and has_table_privilege(c.oid, 'delete')
    )
)
select statement from wanted order by place, statement
