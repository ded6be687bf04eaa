-- Purpose: one digest per aspect of a table's definition, cheap enough to be asked before each chunk. Left out is all
--          that vacuum, analyze, reindex (also concurrently), inserts and sequences change, triggers that are ours
--          (corridor_…) and the fallback view that is ours (by its comment).
-- Locks: access share on catalogues
-- Oldest version: 14
with rel as (
    select c.*, n.nspname
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = $1
),
fact (place, aspect, body) as (
    select 1, 'kind or name', nspname || '.' || relname || ' ' || relkind::text || relpersistence::text || relispartition::text
    from rel
    union all
    select 2, 'columns', string_agg((
        to_jsonb(a) - '{attrelid,attmissingval,atthasmissing,attcacheoff,attacl,attstattarget}'::text[]
        || jsonb_build_object('target', coalesce(to_jsonb(a) ->> 'attstattarget', '-1'))
    )::text, e'\n' order by a.attnum)
    from pg_attribute a
    where a.attrelid = $1 and a.attnum > 0
    union all
    select 3, 'defaults', string_agg(d.adnum::text || ' ' || d.adbin::text, e'\n' order by d.adnum)
    from pg_attrdef d
    where d.adrelid = $1
    union all
    select 4, 'constraints', string_agg((to_jsonb(k) - '{oid,conindid}'::text[])::text, e'\n' order by k.conname)
    from pg_constraint k
    where k.conrelid = $1
    union all
    select 5, 'indexes', string_agg(concat_ws(' ', ic.relname, ic.relam, ic.reloptions, ic.reltablespace,
        to_jsonb(i) - '{indexrelid,indrelid,indisclustered,indisvalid,indcheckxmin,indisready,indislive,indexprs,indpred}'::text[],
        -- As texts: the trees also hold where in some statement a word stood, and reindexing forgets that.
        pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
    ), e'\n' order by ic.relname)
    from pg_index i
    join pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = $1 and i.indisvalid
    union all
    select 6, 'triggers', string_agg((to_jsonb(g) - '{oid}'::text[])::text, e'\n' order by g.tgname)
    from pg_trigger g
    where g.tgrelid = $1 and not g.tgisinternal and g.tgname not like 'corridor\_%'
    union all
    select 7, 'rules', string_agg(concat_ws(' ', r.rulename, r.ev_enabled, md5(r.ev_action::text), md5(r.ev_qual::text)), e'\n' order by r.rulename)
    from pg_rewrite r
    where r.ev_class = $1
    union all
    select 8, 'policies', concat_ws(e'\n', rel.relrowsecurity, rel.relforcerowsecurity, (
        select string_agg(to_jsonb(p)::text, e'\n' order by p.polname) from pg_policy p where p.polrelid = $1
    ))
    from rel
    union all
    select 9, 'owner and grants', concat_ws(e'\n', pg_get_userbyid(rel.relowner), coalesce(rel.relacl, acldefault('r', rel.relowner)), (
        select string_agg(a.attnum::text || a.attacl::text, e'\n' order by a.attnum)
        from pg_attribute a
        where a.attrelid = $1 and a.attacl is not null
    ))
    from rel
    union all
    select 10, 'comments', string_agg(t.name || ' ' || t.description, e'\n' order by t.name)
    from (
        select 'table ' || d.objsubid as name, d.description
        from pg_description d
        where d.classoid = 'pg_class'::regclass and d.objoid = $1
        union all
        select 'constraint ' || k.conname, d.description
        from pg_constraint k
        join pg_description d on d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid
        where k.conrelid = $1
        union all
        select 'index ' || ic.relname, d.description
        from pg_index i
        join pg_class ic on ic.oid = i.indexrelid
        join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = i.indexrelid
        where i.indrelid = $1 and i.indisvalid
        union all
        select 'trigger ' || g.tgname, d.description
        from pg_trigger g
        join pg_description d on d.classoid = 'pg_trigger'::regclass and d.objoid = g.oid
        where g.tgrelid = $1 and g.tgname not like 'corridor\_%'
    ) t
    union all
    select 11, 'options', concat_ws(e'\n', rel.reloptions, rel.reltablespace, rel.relam, rel.relreplident, (
        select t.reloptions::text from pg_class t where t.oid = rel.reltoastrelid
    ))
    from rel
    union all
    select 12, 'foreign keys that reference it', string_agg(
        (to_jsonb(k) - '{oid,conindid}'::text[])::text, e'\n' order by k.conrelid, k.conname)
    from pg_constraint k
    where k.confrelid = $1 and k.contype = 'f'
    union all
    select 13, 'views that read it', string_agg(
        concat_ws(' ', v.relnamespace, v.relname, v.relkind, v.reloptions, md5(r.ev_action::text)),
        e'\n' order by v.relnamespace, v.relname, r.rulename)
    from pg_rewrite r
    join pg_class v on v.oid = r.ev_class
    where r.ev_class <> $1
      and r.oid in (
        select d.objid
        from pg_depend d
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
      and coalesce(obj_description(v.oid, 'pg_class') not like 'corridor: fallback%', true)
    union all
    select 14, 'inheritance', string_agg(i.inhrelid::text || ' of ' || i.inhparent::text, e'\n' order by i.inhparent, i.inhrelid)
    from pg_inherits i
    where $1 in (i.inhrelid, i.inhparent)
    union all
    select 15, 'publications', string_agg(r.pubid || ' ' || r.how, e'\n' order by r.pubid)
    from (
        select p.prpubid as pubid, (to_jsonb(p) - 'oid')::text as how from pg_publication_rel p where p.prrelid = $1
        union
        select oid, 'all' from pg_publication where puballtables
    ) r
    union all
    select 16, 'extended statistics', string_agg(
        concat_ws(' ', to_jsonb(s), obj_description(s.oid, 'pg_statistic_ext')), e'\n' order by s.oid)
    from pg_statistic_ext s
    where s.stxrelid = $1
    union all
    select 17, 'subscriptions', string_agg(r.srsubid::text, e'\n' order by r.srsubid)
    from pg_subscription_rel r
    where r.srrelid = $1
    union all
    -- Functions with SQL bodies, policies of other tables, and whatever uses the row type.
    select 18, 'users of its definition', string_agg(
        concat_ws(' ', d.classid, d.objid, d.objsubid, md5(coalesce(f.prosqlbody::text, f.prosrc)), md5(p.polqual::text), md5(p.polwithcheck::text)),
        e'\n' order by d.classid, d.objid, d.objsubid)
    from (
        select p.classid, p.objid, p.objsubid
        from pg_depend p
        where p.refclassid = 'pg_class'::regclass and p.refobjid = $1
          and p.classid in ('pg_proc'::regclass, 'pg_policy'::regclass)
        union
        select p.classid, p.objid, p.objsubid
        from pg_type ty
        join pg_depend p on p.refclassid = 'pg_type'::regclass and p.refobjid in (ty.oid, ty.typarray)
        where ty.typrelid = $1
          and p.classid <> 'pg_rewrite'::regclass
          and not (p.classid = 'pg_type'::regclass and p.objid = ty.typarray)
          and not (p.classid = 'pg_class'::regclass and p.objid = $1)
    ) d
    left join pg_proc f on d.classid = 'pg_proc'::regclass and f.oid = d.objid
    left join pg_policy p on d.classid = 'pg_policy'::regclass and p.oid = d.objid
    union all
    -- Parameters, not values; the sequences of identity columns and owned ones.
    select 19, 'sequences', string_agg(concat_ws(' ', q.seqincrement, q.seqmax, q.seqmin, q.seqcache, q.seqcycle, qc.relname,
        coalesce(qc.relacl, acldefault('s', qc.relowner)), obj_description(qc.oid, 'pg_class')), e'\n' order by qc.relname)
    from pg_depend p
    join pg_sequence q on q.seqrelid = p.objid
    join pg_class qc on qc.oid = p.objid
    where p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass and p.refobjid = $1 and p.refobjsubid > 0
    union all
    -- What is carried with a materialised view that reads it: its indexes, options and privileges (its query is above).
    select 22, 'materialized views', string_agg(concat_ws(' ', v.oid, v.relname, v.reloptions, v.relacl, v.relowner, v.relispopulated, (
        select string_agg(concat_ws(' ', x.relname, x.reloptions, i.indkey, i.indisunique, i.indisclustered), ',' order by x.relname)
        from pg_index i
        join pg_class x on x.oid = i.indexrelid
        where i.indrelid = v.oid and i.indisvalid
    )), e'\n' order by v.oid)
    from pg_class v
    where v.relkind = 'm'
      and v.oid in (
        select r.ev_class
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
      )
    union all
    select 21, 'security labels', string_agg(concat_ws(' ', s.objsubid, s.provider, s.label), e'\n' order by s.objsubid, s.provider)
    from pg_seclabel s
    where s.classoid = 'pg_class'::regclass and s.objoid = $1
    union all
    select 20, 'cluster mark', string_agg(ic.relname, e'\n' order by ic.relname)
    from pg_index i
    join pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = $1 and i.indisclustered
    union all
    -- Of single partitions: the same aspects, in one.
    select 21, 'partitions', string_agg(concat_ws(' ', pc.oid, pc.relname, pc.relnamespace, pc.relkind, pc.relpersistence,
        pg_get_expr(pc.relpartbound, pc.oid), h.inhdetachpending, pc.relowner, coalesce(pc.relacl, acldefault('r', pc.relowner)),
        pc.reloptions, pc.reltablespace, pc.relam, pc.relreplident, pc.relrowsecurity, pc.relforcerowsecurity,
        (select t.reloptions::text from pg_class t where t.oid = pc.reltoastrelid),
        (
            select md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef,
                a.attidentity, a.attgenerated, a.attisdropped, a.attislocal, a.attinhcount, a.attcollation, a.attstorage,
                a.attcompression, a.attacl, a.attoptions, nullif(a.attstattarget, -1)
            ), ',' order by a.attnum))
            from pg_attribute a
            where a.attrelid = pc.oid and a.attnum > 0
        ),
        (select md5(string_agg(d.adnum || ' ' || d.adbin::text, ' ' order by d.adnum)) from pg_attrdef d where d.adrelid = pc.oid),
        (
            select md5(string_agg(concat_ws(' ', k.conname, k.contype, k.condeferrable, k.condeferred, k.convalidated,
                k.conislocal, k.coninhcount, k.connoinherit, k.confrelid, k.conkey, k.confkey, k.conbin,
                case when k.conislocal then pg_get_constraintdef(k.oid) end
            ), ',' order by k.conname))
            from pg_constraint k
            where k.conrelid = pc.oid
        ),
        (
            select md5(string_agg(concat_ws(' ', ic.relname, ic.relam, ic.reloptions, ic.reltablespace, i.indisunique,
                i.indisprimary, i.indimmediate, i.indisclustered, i.indisreplident, i.indkey, i.indcollation, i.indclass, i.indoption,
                pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid),
                case when i.indisunique then to_jsonb(i) ->> 'indnullsnotdistinct' end,
                obj_description(i.indexrelid, 'pg_class')
            ), ',' order by ic.relname))
            from pg_index i
            join pg_class ic on ic.oid = i.indexrelid
            where i.indrelid = pc.oid and i.indisvalid
        ),
        (
            select md5(string_agg(concat_ws(' ', g.tgname, g.tgfoid, g.tgtype, g.tgenabled, g.tgdeferrable, g.tginitdeferred,
                g.tgattr, g.tgargs, g.tgqual), ',' order by g.tgname))
            from pg_trigger g
            where g.tgrelid = pc.oid and not g.tgisinternal and g.tgname not like 'corridor\_%'
        ),
        (select md5(string_agg(r.rulename || ' ' || r.ev_action::text, ' ' order by r.rulename)) from pg_rewrite r where r.ev_class = pc.oid),
        (select md5(string_agg(to_jsonb(p)::text, ' ' order by p.polname)) from pg_policy p where p.polrelid = pc.oid),
        (
            select md5(string_agg(d.objsubid || ' ' || d.description, ' ' order by d.objsubid))
            from pg_description d
            where d.classoid = 'pg_class'::regclass and d.objoid = pc.oid
        ),
        (
            select md5(string_agg(s.stxname::text || s.stxkeys::text, ' ' order by s.stxname))
            from pg_statistic_ext s
            where s.stxrelid = pc.oid
        ),
        (select string_agg(r.prpubid::text, ',' order by r.prpubid) from pg_publication_rel r where r.prrelid = pc.oid)
    ), e'\n' order by pc.oid)
    from pg_inherits h
    join pg_class pc on pc.oid = h.inhrelid
    where h.inhparent = $1 and pc.relispartition
    union all
    -- Apart: there is no index to look up who references a relation.
    select 22, 'foreign keys that reference a partition', string_agg(k.conname || ' ' || k.conrelid, e'\n' order by k.conrelid, k.conname)
    from pg_constraint k
    join pg_inherits h on h.inhrelid = k.confrelid
    where h.inhparent = $1 and k.contype = 'f' and k.conparentid = 0
    union all
    select 23, 'users of its partitions', string_agg(concat_ws(' ', p.classid, p.objid, p.refobjid, md5(r.ev_action::text)), e'\n' order by p.classid, p.objid, p.refobjid)
    from (
        select distinct d.classid, d.objid, d.refobjid
        from pg_inherits h
        join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = h.inhrelid
        where h.inhparent = $1 and d.classid in ('pg_rewrite'::regclass, 'pg_proc'::regclass)
    ) p
    left join pg_rewrite r on p.classid = 'pg_rewrite'::regclass and r.oid = p.objid
)
select aspect, md5(coalesce(body, '')) as digest
from fact
where exists (select 1 from rel)
order by place
