-- Purpose: who may do what with a relation and with its columns, in the order in which the server keeps it; the default
--          privileges are written out.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(
    to_jsonb(t) - 'place' - 'number' order by t.place, t.number
), '[]')::text
from (
    select
        0 as place,
        x.ordinality as number,
        null as column,
        case when x.grantee = 0 then null else pg_get_userbyid(x.grantee)::text end as grantee,
        pg_get_userbyid(x.grantor)::text as grantor,
        x.privilege_type as privilege,
        x.is_grantable
    from pg_class c
    cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) with ordinality x
    where c.oid = $1
    union all
    select
        a.attnum,
        x.ordinality,
        a.attname,
        case when x.grantee = 0 then null else pg_get_userbyid(x.grantee)::text end,
        pg_get_userbyid(x.grantor)::text,
        x.privilege_type,
        x.is_grantable
    from pg_attribute a
    cross join lateral aclexplode(a.attacl) with ordinality x
    where a.attrelid = $1
      and a.attnum > 0
      and not a.attisdropped
) t
