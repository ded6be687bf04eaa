-- Purpose: the new table's fingerprint as it was when the cut-over had settled; null when it was not recorded.
-- Locks: none
-- Oldest version: 14
select o.progress ->> 'fingerprint' as fingerprint, o.progress ->> 'capture' as capture
from corridor.operation o
where o.migration_id = $1
  and o.name = 'hold'
