-- Purpose: keep a request still until the transaction ends; no row when it was answered or taken back meanwhile.
-- Locks: row share on corridor.request; one row for update
-- Oldest version: 14
select id
from corridor.request
where id = $1
  and answered_at is null
for update
