-- Purpose: store a plan with its digest. No row comes back when the name is taken.
-- Locks: row exclusive on corridor.migration
-- Oldest version: 14
insert into corridor.migration (name, kind, description, plan, plan_digest, created_by)
values ($1, $2, $3, $4::text::jsonb, encode(sha256(convert_to($4::text::jsonb::text, 'UTF8')), 'hex'), $5)
on conflict (name) do nothing
returning id
