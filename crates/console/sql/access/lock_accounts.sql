-- Purpose: let nobody else change accounts until the transaction ends, so that an admin is always left.
-- Locks: share row exclusive on corridor.account; who signs in does not wait
-- Oldest version: 14
lock table corridor.account in share row exclusive mode
