-- Purpose: read the state that the transition starts from, and keep it still until the transaction ends.
-- Locks: row share on corridor.migration; one row for no key update
-- Oldest version: 14
select state, state_detail::text as state_detail
from corridor.migration
where id = $1
for no key update
