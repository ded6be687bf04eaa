-- Purpose: a column, whether it can be null, and the constraint of a name on its table. From PostgreSQL 18 on a not-null constraint
-- may not be validated yet: the column says `not null` then, and rows may say otherwise.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select
    a.attname is not null as has_column,
    coalesce(a.attnotnull, false) as is_not_null,
    (
        select n.conname::text
        from pg_constraint n
        where n.conrelid = t.oid
          and n.contype = 'n'
          and n.conkey = array[a.attnum]
          and not n.convalidated
    ) as not_validated,
    c.conname is not null as has_constraint,
    coalesce(c.convalidated, false) as is_validated,
    coalesce(
        c.contype = 'c'
        and not c.connoinherit
        and c.conkey = array[a.attnum]
        and pg_get_expr(c.conbin, c.conrelid) = format('(%I IS NOT NULL)', a.attname),
        false
    ) as is_the_check,
    pg_get_constraintdef(c.oid) as definition
from pg_class t
left join pg_attribute a on a.attrelid = t.oid and a.attname = $2 and a.attnum > 0 and not a.attisdropped
left join pg_constraint c on c.conrelid = t.oid and c.conname = $3
where t.oid = to_regclass($1)
