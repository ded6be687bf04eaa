-- Purpose: a report: it needs the table as it was when it began.
-- Locks: ACCESS SHARE on public.accounts
-- Oldest version: 14
select count(*) from public.accounts
