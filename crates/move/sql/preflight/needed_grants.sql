-- Purpose: privileges that a move needs, as the statements that give them, and whether the role has them already.
--          $1: the table, or null for what every move needs. $2: the role, or null for the session's own.
-- Locks: access share on catalogues
-- Oldest version: 14
with me as (
    select r.oid, r.rolname as role, r.rolinherit
    from pg_roles r
    where r.rolname = coalesce($2::text, current_user::text)
),
server as (
    select current_setting('server_version_num')::int4 >= 160000 as has_options
),
t as (
    select c.*, n.nspname
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = $1::oid
),
-- Tables and views that the swap changes, beside the table itself.
changed as (
    select distinct c.oid, c.relowner, c.relnamespace, c.relkind
    from pg_class c
    where c.oid in (
        select k.conrelid from pg_constraint k where k.confrelid = $1 and k.contype = 'f'
        union
        select p.polrelid
        from pg_depend d
        join pg_policy p on p.oid = d.objid
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
        union
        select r.ev_class
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
    )
),
referenced as (
    select k.oid as key, k.confkey, f.oid, f.relname, f.relnamespace, n.nspname
    from pg_constraint k
    join pg_class f on f.oid = k.confrelid
    join pg_namespace n on n.oid = f.relnamespace
    where k.conrelid = $1 and k.contype = 'f'
),
-- What only an owner may change, with a name as a statement takes it.
owned (kind, name, owner) as (
    select case o.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
        o.oid::regclass::text, o.relowner
    from (select oid, relkind, relowner from t union select oid, relkind, relowner from changed) o
    union
    select 'function', p.oid::regprocedure::text, p.proowner
    from pg_depend d
    join pg_proc p on p.oid = d.objid
    where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
    union
    select 'publication', quote_ident(p.pubname), p.pubowner
    from pg_publication_rel r
    join pg_publication p on p.oid = r.prpubid
    where r.prrelid = $1
    union
    select 'statistics', format('%I.%I', n.nspname, s.stxname), s.stxowner
    from pg_statistic_ext s
    join pg_namespace n on n.oid = s.stxnamespace
    where s.stxrelid = $1
),
needed (place, statement, why, is_there, is_for_wanted) as (
    select 0, format('grant connect on database %I to %I', current_database(), me.role), 'to log in',
        has_database_privilege(me.oid, current_database(), 'CONNECT'), false
    from me
    union
    select 0, format('grant temporary on database %I to %I', current_database(), me.role),
        'to try out the table of a --to file',
        has_database_privilege(me.oid, current_database(), 'TEMPORARY'), true
    from me
    union
    -- Never membership in a superuser: then the object changes its owner.
    select 1, case when u.rolsuper
        then format('alter %s %s owner to %I', o.kind, o.name, me.role)
        else format('grant %I to %I', u.rolname, me.role) || case
            -- A membership that is there already, or a role that does not inherit: said outright.
            when server.has_options and (pg_has_role(me.oid, o.owner, 'MEMBER') or not me.rolinherit)
                then ' with inherit true, set true'
            else ''
        end
        end,
        case when u.rolsuper
        then format('to change %s %s, whose owner is the superuser %s', o.kind, o.name, u.rolname)
        else format('to change what %s owns, as a member', u.rolname)
        end,
        pg_has_role(me.oid, o.owner, 'USAGE')
            -- Tables are handed to the owner, which takes more than the owner's rights.
            and pg_has_role(me.oid, o.owner, case when server.has_options then 'SET' else 'MEMBER' end),
        false
    from me
    cross join server
    cross join owned o
    join pg_roles u on u.oid = o.owner
    where o.owner <> me.oid
    union
    select 1, format('alter role %I inherit', me.role), 'to have the rights of the roles that it is a member of',
        me.rolinherit, false
    from me
    cross join server
    where not server.has_options and not me.rolinherit
    union
    select 2, format('grant create on schema %I to %I', n.nspname, r.role),
        case when r.role = me.role
            then 'to make the new table and what hangs on it'
            else 'so that the owner of the table can own the new one'
        end,
        has_schema_privilege(r.role, n.oid, 'CREATE'), false
    from me
    cross join lateral (
        select t.relnamespace, me.role from t
        union
        -- Whoever is to own the new table must be allowed to have tables there.
        select t.relnamespace, pg_get_userbyid(t.relowner) from t
        union
        select changed.relnamespace, me.role from changed where changed.relkind in ('v', 'm')
        union
        select s.stxnamespace, me.role from pg_statistic_ext s where s.stxrelid = $1
    ) r (namespace, role)
    join pg_namespace n on n.oid = r.namespace
    union
    select 3, format('grant usage on schema %I to %I', n.nspname, me.role), 'to name what is in it',
        has_schema_privilege(me.oid, n.oid, 'USAGE'), false
    from me
    cross join (
        select t.relnamespace from t
        union
        select changed.relnamespace from changed
        union
        select referenced.relnamespace from referenced
    ) s (namespace)
    join pg_namespace n on n.oid = s.namespace
    union
    select 4, format('grant create on database %I to %I', current_database(), me.role),
        'to make the schemas corridor and corridor_retired',
        has_database_privilege(me.oid, current_database(), 'CREATE'), false
    from me
    where 2 <> (select count(*) from pg_namespace where nspname in ('corridor', 'corridor_retired'))
        -- A materialised view is made anew with the help of a schema that comes and goes.
        or exists (select from changed where relkind = 'm')
    union
    select 5, format('grant create, usage on schema %I to %I', n.nspname, me.role),
        'another role made it, and its records are shared',
        has_schema_privilege(me.oid, n.oid, 'CREATE') and has_schema_privilege(me.oid, n.oid, 'USAGE'), false
    from me
    join pg_namespace n on n.nspname in ('corridor', 'corridor_retired') and n.nspowner <> me.oid
    union
    select 5, format('grant all on all tables in schema corridor to %I', me.role),
        'another role made it, and its records are shared',
        has_table_privilege(me.oid, m.oid, 'INSERT') and has_table_privilege(me.oid, m.oid, 'UPDATE'), false
    from me
    -- Not by to_regclass(): it fails where the schema may not be used.
    join pg_namespace n on n.nspname = 'corridor'
    join pg_class m on m.relnamespace = n.oid and m.relname = 'migration' and m.relkind = 'r'
    where m.relowner <> me.oid
    union
    select 6, format('grant usage on type %s to %I', format_type(ty.oid, null), me.role),
        'to make columns of this type', has_type_privilege(me.oid, ty.oid, 'USAGE'), false
    from me
    cross join pg_attribute a
    join pg_type b on b.oid = a.atttypid
    join pg_type ty on ty.oid = case
        when b.typsubscript = 'pg_catalog.array_subscript_handler'::regproc then b.typelem
        else b.oid
    end
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
    union
    select 7, format('grant execute on function %s to %I', g.tgfoid::regprocedure, me.role),
        'to give the new table its trigger', has_function_privilege(me.oid, g.tgfoid, 'EXECUTE'), false
    from me
    cross join pg_trigger g
    where g.tgrelid = $1 and not g.tgisinternal
    union
    select 8, format('grant references on table %I.%I to %I', f.nspname, f.relname, me.role),
        'to give the new table its foreign key',
        has_table_privilege(me.oid, f.oid, 'REFERENCES')
        or not exists (
            select 1
            from unnest(f.confkey) as x (number)
            where not has_column_privilege(me.oid, f.oid, x.number, 'REFERENCES')
        ),
        false
    from me
    cross join referenced f
    union
    select 9, format('grant create on tablespace %I to %I', s.spcname, me.role), 'to put the new table into it',
        has_tablespace_privilege(me.oid, s.oid, 'CREATE'), false
    from me
    cross join pg_tablespace s
    where s.oid in (
        select t.reltablespace from t
        union
        select i.reltablespace from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = $1
    )
    union
    select 10, format('grant pg_read_all_stats to %I', me.role)
            || case when server.has_options and not me.rolinherit then ' with inherit true' else '' end,
        'to see who keeps an older snapshot at the swap',
        pg_has_role(me.oid, 'pg_read_all_stats', 'USAGE'), false
    from me
    cross join server
)
select statement, why, is_there, is_for_wanted
from needed
-- What everybody may do with PostgreSQL's own types and functions is not worth a line.
where not (is_there and place in (6, 7) and statement !~ '^grant (usage on type|execute on function) [^( ]*[.]')
order by place, statement
