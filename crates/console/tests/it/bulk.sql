-- Purpose: 1,000 migrations in all states with 1,000 entries of the journal each, and what else hangs on them; for tests.
-- Locks: row exclusive on the tables of the schema corridor
-- Oldest version: 14
-- Rows that fit need not be looked up one by one.
set local session_replication_role = replica;
with made as (
    insert into corridor.migration (name, kind, description, plan, plan_digest, state, state_detail, started_at, finished_at, journal_count, created_by)
    select
        'bulk_' || i,
        'data',
        'fills column ' || i || ' of a table with many rows',
        plan,
        encode(sha256(convert_to(plan::text, 'UTF8')), 'hex'),
        case i % 5 when 0 then 'planned' when 1 then 'running' when 2 then 'paused' when 3 then 'failed' else 'finished' end,
        case i % 5 when 2 then '{"by": "anna", "why": "the deploy", "course": "forward"}'
            when 3 then '{"code": "MIG-142", "detail": "12 rows are bad", "course": "forward"}' else '{}' end::jsonb,
        case when i % 5 > 0 then now() - interval '1 day' end,
        case when i % 5 = 4 then now() end,
        1000,
        'anna@laptop 1'
    from generate_series(1, 1000) i
    cross join lateral (
        select jsonb_build_object('version', 1, 'bound', null, 'parameters', '{}'::jsonb, 'definition', jsonb_build_object(
            'name', 'bulk_' || i, 'description', 'fills column ' || i, 'versions', '>=1.' || i % 80 || '.0',
            'operations', jsonb_build_array(
                jsonb_build_object('kind', 'sql', 'name', 'one', 'statement', 'select 1'),
                jsonb_build_object('kind', 'sql', 'name', 'two', 'statement', 'select 2')))) as plan
    ) p
    returning id, state
), operations as (
    insert into corridor.operation (migration_id, position, name)
    select id, place, name from made, (values (1, 'one'), (2, 'two')) as o (place, name)
), leases as (
    insert into corridor.lease (migration_id) select id from made
), hearts as (
    insert into corridor.heartbeat (migration_id) select id from made
)
insert into corridor.journal (migration_id, number, at, actor, event, from_state, to_state, detail)
select id, n, now() - (1000 - n) * interval '1 min', 'anna@laptop 1',
    case n % 100 when 1 then 'resume' else 'batch_done' end,
    case n % 100 when 1 then 'paused' end,
    case n % 100 when 1 then 'running' end,
    '{"rows": 1000, "why": "as it should be"}'
from made, generate_series(1, 1000) n;
insert into corridor.pace (migration_id, at, rows, pending)
select m.id, now() - n * interval '5 s', 100000 - n, n from corridor.migration m, generate_series(1, 500) n where m.name in ('bulk_1', 'bulk_2', 'bulk_3');
analyze;
