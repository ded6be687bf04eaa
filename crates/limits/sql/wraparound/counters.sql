-- Purpose: how far the counters of transaction ids, MultiXact ids and MultiXact members are. Takes no id.
-- Locks: none
-- Oldest version: 14
select
    pg_snapshot_xmax(pg_current_snapshot())::text::float8 as next_xid,
    next_multixact_id::text::float8 as next_mxid,
    next_multi_offset::text::float8 as next_member,
    pg_is_in_recovery() as is_standby
from pg_control_checkpoint()
