/* corridor */
-- Purpose: the application of the demo gets a role of its own, so that its statements can be told from everybody else's.
-- Locks: none that anybody waits for; the cluster is new
-- Oldest version: 14
create role app login
