-- Purpose: what belongs to other objects and names the table: policies and rules of other tables, functions. Each
--          holds on to the table itself, not to its name, and follows a swap only when it is said again.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.kind, t.oid), '[]')::text
from (
    select
        p.oid::int8 as oid,
        'policy' as kind,
        format('%I on %I.%I', p.polname, n.nspname, c.relname) as name,
        c.oid::int8 as relation_oid,
        jsonb_build_object('schema', n.nspname, 'name', c.relname) as relation,
        concat('alter policy ', quote_ident(p.polname), ' on ', format('%I.%I', n.nspname, c.relname),
            ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') as definition,
        pg_get_userbyid(c.relowner)::text as owner
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    join pg_namespace n on n.oid = c.relnamespace
    where p.polrelid <> $1
      and exists (
        select 1 from pg_depend d
        where d.classid = 'pg_policy'::regclass and d.objid = p.oid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
    union all
    select
        r.oid::int8,
        'rule',
        format('%I on %I.%I', r.rulename, n.nspname, c.relname),
        c.oid::int8,
        jsonb_build_object('schema', n.nspname, 'name', c.relname),
        regexp_replace(rtrim(pg_get_ruledef(r.oid), '; '), '^CREATE RULE', 'CREATE OR REPLACE RULE'),
        pg_get_userbyid(c.relowner)::text
    from pg_rewrite r
    join pg_class c on c.oid = r.ev_class
    join pg_namespace n on n.oid = c.relnamespace
    where r.ev_class <> $1
      and r.rulename <> '_RETURN'
      and exists (
        select 1 from pg_depend d
        where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
    union all
    select
        p.oid::int8,
        'function',
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        null,
        null,
        rtrim(pg_get_functiondef(p.oid), e' \n'),
        pg_get_userbyid(p.proowner)::text
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where p.prokind in ('f', 'p', 'w')
      and exists (
        select 1 from pg_depend d
        where d.classid = 'pg_proc'::regclass and d.objid = p.oid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
      -- A parameter or a result of the row type holds on to the type, which no word can change.
      and not exists (
        select 1
        from pg_type ty
        join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid in (ty.oid, ty.typarray)
        where ty.typrelid = $1 and d.classid = 'pg_proc'::regclass and d.objid = p.oid
      )
) t
