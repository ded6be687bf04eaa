-- Purpose: privileges that the move needs and the role lacks, as the statements that would give them.
-- Locks: access share on catalogues
-- Oldest version: 14
with me as (
    select current_user as role
),
t as (
    select c.*, n.nspname
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = $1
),
-- Tables and views that the swap changes, beside the table itself.
changed as (
    select distinct c.oid, c.relowner, c.relnamespace, c.relkind
    from pg_class c
    where c.oid in (
        select k.conrelid from pg_constraint k where k.confrelid = $1 and k.contype = 'f'
        union
        select r.ev_class
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN'
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
    )
),
missing (place, statement) as (
    -- Never membership in a superuser: then the object changes its owner.
    select 1, case
        when u.rolsuper then format('alter %s %s owner to %I', case o.kind when 'v' then 'view' else 'table' end, o.oid::regclass, me.role)
        else format('grant %I to %I', u.rolname, me.role)
    end
    from me
    cross join (
        select t.oid, t.relowner, t.relkind from t union select changed.oid, changed.relowner, changed.relkind from changed
    ) o (oid, owner, kind)
    join pg_roles u on u.oid = o.owner
    where not pg_has_role(o.owner, 'USAGE')
    union
    select 2, format('grant create on schema %I to %I', n.nspname, r.role)
    from (
        select t.relnamespace, me.role from t cross join me
        union
        -- Whoever is to own the new table must be allowed to have tables there.
        select t.relnamespace, pg_get_userbyid(t.relowner) from t
        union
        select changed.relnamespace, me.role from changed cross join me where changed.relkind = 'v'
    ) r (namespace, role)
    join pg_namespace n on n.oid = r.namespace
    where not has_schema_privilege(r.role, n.oid, 'CREATE')
    union
    select 3, format('grant usage on schema %I to %I', n.nspname, me.role)
    from me
    cross join (
        select t.relnamespace from t
        union
        select changed.relnamespace from changed
        union
        select f.relnamespace
        from pg_constraint k
        join pg_class f on f.oid = k.confrelid
        where k.conrelid = $1 and k.contype = 'f'
    ) s (namespace)
    join pg_namespace n on n.oid = s.namespace
    where not has_schema_privilege(n.oid, 'USAGE')
    union
    select 4, format('grant create on database %I to %I', current_database(), me.role)
    from me
    where not has_database_privilege(current_database(), 'CREATE')
      and 2 <> (select count(*) from pg_namespace where nspname in ('corridor', 'corridor_retired'))
    union
    select 5, format('grant create, usage on schema %I to %I', n.nspname, me.role)
    from me
    join pg_namespace n on n.nspname in ('corridor', 'corridor_retired')
    where not has_schema_privilege(n.oid, 'CREATE') or not has_schema_privilege(n.oid, 'USAGE')
    union
    -- Another role made the schema: its records are shared.
    select 5, format('grant all on all tables in schema corridor to %I', me.role)
    from me
    -- Not by to_regclass(): it fails where the schema may not be used.
    join pg_namespace n on n.nspname = 'corridor'
    join pg_class m on m.relnamespace = n.oid and m.relname = 'migration' and m.relkind = 'r'
    where not has_table_privilege(m.oid, 'INSERT')
       or not has_table_privilege(m.oid, 'UPDATE')
    union
    select 6, format('grant usage on type %s to %I', format_type(ty.oid, null), me.role)
    from me
    cross join pg_attribute a
    join pg_type b on b.oid = a.atttypid
    join pg_type ty on ty.oid = case
        when b.typsubscript = 'pg_catalog.array_subscript_handler'::regproc then b.typelem
        else b.oid
    end
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
      and not has_type_privilege(ty.oid, 'USAGE')
    union
    select 7, format('grant execute on function %s to %I', g.tgfoid::regprocedure, me.role)
    from me
    cross join pg_trigger g
    where g.tgrelid = $1 and not g.tgisinternal
      and not has_function_privilege(g.tgfoid, 'EXECUTE')
    union
    select 8, format('grant references on table %I.%I to %I', n.nspname, f.relname, me.role)
    from me
    cross join pg_constraint k
    join pg_class f on f.oid = k.confrelid
    join pg_namespace n on n.oid = f.relnamespace
    where k.conrelid = $1 and k.contype = 'f'
      and not has_table_privilege(f.oid, 'REFERENCES')
      and exists (
        select 1
        from unnest(k.confkey) as x (number)
        where not has_column_privilege(f.oid, x.number, 'REFERENCES')
      )
    union
    select 9, format('grant create on tablespace %I to %I', s.spcname, me.role)
    from me
    cross join pg_tablespace s
    where s.oid in (
        select t.reltablespace from t
        union
        select i.reltablespace from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = $1
    )
      and not has_tablespace_privilege(s.oid, 'CREATE')
    union
    -- The swap must see who keeps an older snapshot.
    select 10, format('grant pg_read_all_stats to %I', me.role)
    from me
    where not pg_has_role('pg_read_all_stats', 'USAGE')
)
select statement
from missing
order by place, statement
