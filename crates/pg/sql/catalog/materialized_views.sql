-- Purpose: materialised views that read the table, or another of them, those that are read first. Plain views in between
--          do not count: they keep their identity when they are replaced. Whether the table's row security narrows what
--          the view's owner, as whom it is filled, sees of it.
-- Locks: access share on catalogues
-- Oldest version: 14
with recursive reader (oid, reads, depth) as (
    select r.ev_class, d.refobjid, 1
    from pg_depend d
    join pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN'
    join pg_class c on c.oid = r.ev_class and c.relkind = 'm'
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      and r.ev_class <> $1
    union
    select r.ev_class, d.refobjid, m.depth + 1
    from reader m
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = m.oid
    join pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN'
    join pg_class c on c.oid = r.ev_class and c.relkind = 'm'
    where r.ev_class <> m.oid and m.depth < 100
)
select
    m.oid,
    c.relispopulated as is_populated,
    quote_ident(n.nspname) as schema,
    t.relrowsecurity
        and not (r.rolsuper or r.rolbypassrls)
        and (t.relforcerowsecurity or not pg_has_role(c.relowner, t.relowner, 'USAGE')) as is_narrowed,
    max(m.depth) as depth
from reader m
join pg_class c on c.oid = m.oid
join pg_namespace n on n.oid = c.relnamespace
join pg_roles r on r.oid = c.relowner
join pg_class t on t.oid = $1
group by m.oid, c.relispopulated, n.nspname, is_narrowed
order by depth, m.oid
