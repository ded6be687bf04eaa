-- Purpose: what the server has understood of the one expression of a temporary view ($1): its text with every name
--          qualified, its type, the columns of the table $2 that it reads, and what makes it more than a function of one
--          row. Functions of the server itself stand in no dependency, so their ids are taken from the rule's tree.
-- Locks: access share on catalogues
-- Oldest version: 14
with rule as (
    select r.oid, r.ev_action::text as tree
    from pg_rewrite r
    where r.ev_class = $1 and r.rulename = '_RETURN'
),
called as (
    select distinct p.oid, p.proname, p.pronargs, p.provolatile
    from rule
    cross join lateral regexp_matches(rule.tree, ':(?:funcid|opfuncid) (\d+)', 'g') as m (part)
    join pg_proc p on p.oid = m.part[1]::oid
)
select
    pg_get_viewdef($1) as definition,
    format_type(a.atttypid, a.atttypmod) as type_sql,
    rule.tree ~ ':has(Aggs|WindowFuncs|TargetSRFs|SubLinks|ModifyingCTE) true' as is_no_function_of_a_row,
    rule.tree ~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR) ' as is_of_the_session,
    -- By input and output functions, which stand nowhere in the tree.
    rule.tree ~ '\{COERCEVIAIO ' as is_by_text,
    (
        select coalesce(array_agg(distinct c.proname::text), '{}')
        from called c
        where c.provolatile = 'v'
           or c.oid in (
            'now()'::regprocedure, 'transaction_timestamp()'::regprocedure, 'statement_timestamp()'::regprocedure,
            'age(timestamptz)'::regprocedure, 'age(timestamp)'::regprocedure
          )
    ) as unsteady,
    (select coalesce(array_agg(distinct c.proname::text), '{}') from called c where c.provolatile = 's') as stable,
    (
        select coalesce(array_agg(distinct b.attname::text), '{}')
        from pg_depend d
        join pg_attribute b on b.attrelid = d.refobjid and b.attnum = d.refobjsubid
        where d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = $2 and d.refobjsubid > 0
    ) as reads
from rule
join pg_attribute a on a.attrelid = $1 and a.attnum = 1
