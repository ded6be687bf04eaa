-- Purpose: write down who did what to what, and keep the newest 100,000 entries.
-- Locks: row exclusive on corridor.audit
-- Oldest version: 14
with kept as (
    insert into corridor.audit (actor, action, object, detail)
    values ($1, $2, $3, $4::text::jsonb)
    returning id
)
delete from corridor.audit
where id <= (select id - 100000 from kept)
