-- Purpose: everything that pg_depend knows to hang on a table or on its row type, with a word for why; what no word
--          explains is "other" and stops a move.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(jsonb_build_object('why', t.why, 'what', t.what) order by t.why, t.what), '[]')::text
from (
    select distinct
        -- Nothing is described for some of the catalogue's own entries.
        coalesce(pg_describe_object(d.classid, d.objid, d.objsubid), d.classid::regclass || ' ' || d.objid) as what,
        case
            when d.is_row_type and d.classid = 'pg_proc'::regclass then 'row_type'
            when d.is_row_type and d.classid = 'pg_class'::regclass and dc.relkind in ('v', 'm') then 'explained'
            when d.is_row_type then 'row_type'
            when d.classid = 'pg_class'::regclass and dc.relkind in ('i', 'I', 't') then 'explained'
            when d.classid = 'pg_class'::regclass and dc.relkind = 'S' and d.refobjsubid <> 0 then 'explained'
            when d.classid = 'pg_class'::regclass and dh.inhrelid is not null then 'explained'
            when d.classid = 'pg_attrdef'::regclass and df.adrelid = $1 then 'explained'
            when d.classid = 'pg_constraint'::regclass and $1 in (dk.conrelid, dk.confrelid) then 'explained'
            when d.classid = 'pg_trigger'::regclass and dg.tgrelid = $1 then 'explained'
            when d.classid = 'pg_trigger'::regclass and dg.tgisinternal then 'explained'
            when d.classid = 'pg_rewrite'::regclass then 'explained'
            -- Of the table itself, or listed as another's that names it.
            when d.classid = 'pg_policy'::regclass then 'explained'
            when d.classid = 'pg_statistic_ext'::regclass then 'explained'
            when d.classid = 'pg_publication_rel'::regclass then 'explained'
            when d.classid = 'pg_type'::regclass and dt.typrelid = $1 then 'explained'
            when d.classid = 'pg_proc'::regclass and dx.prokind in ('f', 'p', 'w') then 'explained'
            else 'other'
        end as why
    from (
        select d.classid, d.objid, d.objsubid, d.refobjsubid, false as is_row_type
        from pg_depend d
        where d.refclassid = 'pg_class'::regclass
          and d.refobjid = $1
          and not (d.classid = 'pg_class'::regclass and d.objid = $1)
        union
        select d.classid, d.objid, d.objsubid, 0, true
        from pg_type ty
        join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid in (ty.oid, ty.typarray)
        where ty.typrelid = $1
          and not (d.classid = 'pg_type'::regclass and d.objid = ty.typarray)
          and not (d.classid = 'pg_class'::regclass and d.objid = $1)
    ) d
    left join pg_class dc on d.classid = 'pg_class'::regclass and dc.oid = d.objid
    left join pg_inherits dh on d.classid = 'pg_class'::regclass and dh.inhrelid = d.objid and dh.inhparent = $1
    left join pg_attrdef df on d.classid = 'pg_attrdef'::regclass and df.oid = d.objid
    left join pg_constraint dk on d.classid = 'pg_constraint'::regclass and dk.oid = d.objid
    left join pg_trigger dg on d.classid = 'pg_trigger'::regclass and dg.oid = d.objid
    left join pg_proc dx on d.classid = 'pg_proc'::regclass and dx.oid = d.objid
    left join pg_type dt on d.classid = 'pg_type'::regclass and dt.oid = d.objid
    union all
    -- No row of pg_depend leads from a subscription to its tables.
    select 'subscription ' || s.subname, 'subscription'
    from pg_subscription_rel r
    join pg_subscription s on s.oid = r.srsubid
    where r.srrelid = $1
) t
where t.why <> 'explained'
