-- Purpose: event triggers that fire on data definition, by name; they see what a move does.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(e.evtname order by e.evtname), '[]')::text
from pg_event_trigger e
where e.evtenabled <> 'D'
