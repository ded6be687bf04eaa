-- Purpose: the live columns of a relation with type, default, identity, storage and comment.
-- Locks: access share on catalogues
-- Oldest version: 14 (conenforced, named not-null constraints: 18, read through to_jsonb)
select coalesce(jsonb_agg(to_jsonb(t) order by t.number), '[]')::text
from (
    select
        a.attnum::int4 as number,
        a.attname as name,
        a.atttypid::int8 as type_oid,
        base.oid::int8 as base_type_oid,
        format_type(a.atttypid, a.atttypmod) as type_sql,
        case when base.oid = a.atttypid then format_type(a.atttypid, a.atttypmod) else format_type(base.oid, null) end as base_type_sql,
        a.attnotnull as is_not_null,
        (
            select jsonb_build_object(
                'name', k.conname,
                'is_validated', k.convalidated,
                'is_inherited', not k.conislocal,
                'is_no_inherit', k.connoinherit,
                'comment', obj_description(k.oid, 'pg_constraint')
            )
            from pg_constraint k
            where k.conrelid = a.attrelid and k.contype = 'n' and k.conkey = array[a.attnum]
        ) as not_null_constraint,
        case when a.attcollation <> 0 then jsonb_build_object('schema', cn.nspname, 'name', co.collname) end as collation,
        a.attcollation <> ty.typcollation as is_collation_explicit,
        coalesce(co.collisdeterministic, true) as is_collation_deterministic,
        case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as default_sql,
        case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end as generated_sql,
        nullif(a.attgenerated::text, '') as generated,
        nullif(a.attidentity::text, '') as identity,
        case when a.attstorage <> ty.typstorage then a.attstorage::text end as storage,
        nullif(a.attcompression::text, '') as compression,
        nullif((to_jsonb(a) ->> 'attstattarget')::int4, -1) as statistics_target,
        -- The server keeps a version of its own there (pg_attver, from 15.20 on), which nobody can set.
        coalesce((
            select jsonb_agg(o.option order by o.ordinality)
            from unnest(a.attoptions) with ordinality as o (option, ordinality)
            where o.option not like 'pg\_attver=%'
        ), '[]') as options,
        col_description(a.attrelid, a.attnum::int4) as comment,
        ops.has_hash as is_hashable,
        ops.has_btree as has_btree_order
    from pg_attribute a
    join pg_type ty on ty.oid = a.atttypid
    left join pg_collation co on co.oid = a.attcollation
    left join pg_namespace cn on cn.oid = co.collnamespace
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    cross join lateral (
        with recursive chain (oid, typtype, typbasetype, typelem, typcategory, typsubscript) as (
            select b.oid, b.typtype, b.typbasetype, b.typelem, b.typcategory, b.typsubscript
            from pg_type b
            where b.oid = a.atttypid
            union all
            select b.oid, b.typtype, b.typbasetype, b.typelem, b.typcategory, b.typsubscript
            from pg_type b
            join chain on chain.typtype = 'd' and b.oid = chain.typbasetype
        )
        select
            chain.oid,
            case
                when chain.typsubscript = 'pg_catalog.array_subscript_handler'::regproc then chain.typelem
                else chain.oid
            end as element_oid
        from chain
        where chain.typtype <> 'd'
    ) base
    cross join lateral (
        select
            coalesce(bool_or(am.amname = 'hash'), false) as has_hash,
            coalesce(bool_or(am.amname = 'btree'), false) as has_btree
        from pg_opclass o
        join pg_am am on am.oid = o.opcmethod and am.amname in ('hash', 'btree')
        join pg_type bt on bt.oid = base.element_oid
        where o.opcdefault
          and (
            o.opcintype = bt.oid
            or (bt.typtype = 'e' and o.opcintype = 'anyenum'::regtype)
            or (bt.typtype = 'r' and o.opcintype = 'anyrange'::regtype)
            or (bt.typtype = 'm' and o.opcintype = 'anymultirange'::regtype)
            or exists (
                select 1
                from pg_cast k
                where k.castsource = bt.oid and k.casttarget = o.opcintype
                  and k.castmethod = 'b' and k.castcontext = 'i'
            )
          )
    ) ops
    where a.attrelid = $1
      and a.attnum > 0
      and not a.attisdropped
) t
