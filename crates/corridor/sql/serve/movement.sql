-- Purpose: how far work is, as a text that changes when it moves.
-- Locks: access share on corridor.operation, corridor.heartbeat and corridor.migration
-- Oldest version: 14
select
    m.id as migration_id,
    md5(
        string_agg(concat_ws(' ', o.name, o.state, o.attempts::text, o.progress::text), ';' order by o.position)
        || (select h.progress::text from corridor.heartbeat h where h.migration_id = m.id)
    ) as movement
from corridor.migration m
join corridor.operation o on o.migration_id = m.id
where m.state in ('running', 'cutting_over', 'rolling_back', 'stopping', 'finishing')
group by m.id
