-- Purpose: what a plan must know beside the table itself: the role, limits of the server, names that are taken, what
--          the server grants by itself, and triggers of a move that has not ended.
-- Locks: access share on catalogues
-- Oldest version: 14
select jsonb_build_object(
    'role', current_user,
    'server_major', current_setting('server_version_num')::int4 / 10000,
    'session_limit', current_setting('max_connections')::int4,
    'lock_slots', current_setting('max_locks_per_transaction')::int8
        * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8),
    'taken_names', coalesce((
        select jsonb_agg(x.name)
        from (
            select o.relname as name from pg_class o where o.relnamespace = c.relnamespace
            union
            select t.typname from pg_type t where t.typnamespace = c.relnamespace
        ) x
    ), '[]'),
    'default_table_grants', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'column', null,
            'grantee', case when x.grantee = 0 then null else pg_get_userbyid(x.grantee)::text end,
            'grantor', pg_get_userbyid(x.grantor)::text,
            'privilege', x.privilege_type,
            'is_grantable', x.is_grantable
        )), '[]')
        from pg_default_acl d
        cross join lateral aclexplode(d.defaclacl) x
        where d.defaclrole = (select r.oid from pg_roles r where r.rolname = current_user)
          and d.defaclnamespace in (0, c.relnamespace)
          and d.defaclobjtype = 'r'
    ),
    'default_sequence_grants', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'column', null,
            'grantee', case when x.grantee = 0 then null else pg_get_userbyid(x.grantee)::text end,
            'grantor', pg_get_userbyid(x.grantor)::text,
            'privilege', x.privilege_type,
            'is_grantable', x.is_grantable
        )), '[]')
        from pg_default_acl d
        cross join lateral aclexplode(d.defaclacl) x
        where d.defaclrole = (select r.oid from pg_roles r where r.rolname = current_user)
          and d.defaclnamespace in (0, c.relnamespace)
          and d.defaclobjtype = 'S'
    ),
    -- `lock table` needs more than a reference to the table does.
    'unlockable', (
        select coalesce(jsonb_agg(distinct jsonb_build_object('schema', n.nspname, 'name', f.relname)), '[]')
        from pg_constraint k
        join pg_class f on f.oid = k.confrelid
        join pg_namespace n on n.oid = f.relnamespace
        where k.conrelid = c.oid and k.contype = 'f'
          and not has_table_privilege(f.oid, 'UPDATE, DELETE, TRUNCATE')
    ),
    'is_bypassing_row_security', (
        select r.rolsuper or r.rolbypassrls from pg_roles r where r.rolname = current_user
    ),
    -- Who gave something away on the table or a sequence of it, and whose part we can take to give it again.
    'assumable_grantors', (
        select coalesce(jsonb_agg(distinct pg_get_userbyid(x.grantor)), '[]')
        from (
            select x.grantor from aclexplode(c.relacl) x
            union
            select x.grantor from pg_attribute a cross join lateral aclexplode(a.attacl) x where a.attrelid = c.oid
            union
            select x.grantor
            from pg_depend d
            join pg_class s on s.oid = d.objid and s.relkind = 'S'
            cross join lateral aclexplode(s.relacl) x
            where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
        ) x
        where has_schema_privilege(x.grantor, c.relnamespace, 'USAGE')
          and pg_has_role(x.grantor, case when current_setting('server_version_num')::int4 < 160000 then 'MEMBER' else 'SET' end)
    ),
    'our_triggers', (
        select coalesce(jsonb_agg(g.tgname order by g.tgname), '[]')
        from pg_trigger g
        where g.tgrelid = c.oid and not g.tgisinternal and g.tgname like 'corridor\_%'
    )
)::text
from pg_class c
where c.oid = $1
