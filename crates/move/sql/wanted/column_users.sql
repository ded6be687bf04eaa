-- Purpose: what names a column of a table: views, rules, triggers, policies, statistics, functions, publications. Indexes,
--          constraints, defaults and sequences are read with the table.
-- Locks: access share on catalogues
-- Oldest version: 14
select distinct
    a.attname::text as column_name,
    d.classid::regclass::text as kind,
    case
        when d.classid = 'pg_rewrite'::regclass and r.rulename = '_RETURN' then pg_describe_object('pg_class'::regclass, r.ev_class, 0)
        else pg_describe_object(d.classid, d.objid, 0)
    end as what
from pg_depend d
join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
where d.refclassid = 'pg_class'::regclass
  and d.refobjid = $1
  and d.refobjsubid > 0
  and (
    d.classid in (
        'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass, 'pg_proc'::regclass,
        'pg_publication_rel'::regclass
    )
    or (
        d.classid = 'pg_trigger'::regclass
        and exists (select from pg_trigger g where g.oid = d.objid and not g.tgisinternal)
    )
  )
order by 3, 1
