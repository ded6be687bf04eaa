-- Purpose: sequences that a table's columns own, are identities of, or take their default from.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.column, t.link, t.oid), '[]')::text
from (
    select
        c.oid::int8 as oid,
        jsonb_build_object('schema', n.nspname, 'name', c.relname) as name,
        link.link,
        a.attname as column,
        format_type(s.seqtypid, null) as type_sql,
        s.seqstart as start,
        s.seqincrement as increment,
        s.seqmin as min,
        s.seqmax as max,
        s.seqcache as cache,
        s.seqcycle as is_cycling,
        c.relpersistence::text as persistence,
        pg_get_userbyid(c.relowner)::text as owner,
        obj_description(c.oid, 'pg_class') as comment,
        coalesce((
            select jsonb_agg(
                jsonb_build_object(
                    'grantee', case when x.grantee = 0 then null else pg_get_userbyid(x.grantee)::text end,
                    'grantor', pg_get_userbyid(x.grantor)::text,
                    'privilege', x.privilege_type,
                    'is_grantable', x.is_grantable,
                    'column', null
                )
                order by x.ordinality
            )
            from aclexplode(coalesce(c.relacl, acldefault('s', c.relowner))) with ordinality x
        ), '[]') as grants
    from (
        select
            d.objid as oid,
            case d.deptype when 'i' then 'identity' else 'owned' end as link,
            d.refobjsubid as number
        from pg_depend d
        where d.classid = 'pg_class'::regclass
          and d.refclassid = 'pg_class'::regclass
          and d.refobjid = $1
          and d.refobjsubid <> 0
          and d.deptype in ('a', 'i')
        union
        select d.refobjid, 'default', f.adnum
        from pg_attrdef f
        join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjid <> $1
        where f.adrelid = $1
          and not exists (
            select 1
            from pg_depend o
            where o.classid = 'pg_class'::regclass and o.objid = d.refobjid
              and o.refclassid = 'pg_class'::regclass and o.refobjid = $1 and o.refobjsubid = f.adnum
              and o.deptype in ('a', 'i')
          )
    ) link
    join pg_class c on c.oid = link.oid and c.relkind = 'S'
    join pg_namespace n on n.oid = c.relnamespace
    join pg_sequence s on s.seqrelid = c.oid
    join pg_attribute a on a.attrelid = $1 and a.attnum = link.number
) t
