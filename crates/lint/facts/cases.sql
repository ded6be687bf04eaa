-- Purpose: every kind of statement whose facts are measured, on the schema of base.sql.
-- Locks: those that it is about; only ever run on throwaway clusters, by script/facts.
-- Oldest version: 14. `since` says from which major on a statement exists. `before` makes ready, committed. `hold` is run in a
-- transaction of another session, so that a statement that has transactions of its own waits where its locks can be seen.

-- case: add-column
alter table target add column x int;

-- case: add-column.default
alter table target add column x int default 5;

-- case: add-column.stable-default
alter table target add column x timestamptz default now();

-- case: add-column.not-null-default
alter table target add column x int not null default 5;

-- case: add-column.not-null
alter table target add column x int not null;

-- case: add-column.volatile-default
alter table target add column x uuid default gen_random_uuid();

-- case: add-column.serial
alter table target add column x bigserial;

-- case: add-column.identity
alter table target add column x int generated always as identity;

-- case: add-column.generated-stored
alter table target add column x int generated always as (a + 1) stored;

-- case: add-column.generated-virtual
-- since: 18
alter table target add column x int generated always as (a + 1) virtual;

-- case: add-column.domain
alter table target add column x plain;

-- case: add-column.constrained-domain
alter table target add column x positive;

-- case: add-column.constrained-domain-default
alter table target add column x positive default 5;

-- case: add-column.references
alter table target add column x int references referenced;

-- case: add-column.references-default
alter table target add column x int default 1 references referenced;

-- case: add-column.unique
alter table target add column x int unique;

-- case: add-column.primary-key
alter table apart add column x int generated always as identity primary key;

-- case: add-column.check
alter table target add column x int check (x > 0);

-- case: add-column.check-default
alter table target add column x int default 5 check (x > 0);

-- case: add-column.partitioned
alter table root add column x int;

-- case: drop-column
alter table target drop column f;

-- case: drop-column.indexed
alter table target drop column a cascade;

-- case: drop-column.foreign-key
alter table target drop column ref_id;

-- case: rename-column
alter table target rename column f to ff;

-- case: rename-table
alter table target rename to target2;

-- case: rename-constraint
alter table target rename constraint target_h to target_hh;

-- case: set-schema
-- before: create schema if not exists other
alter table target set schema other;

-- case: set-not-null
alter table target alter column a set not null;

-- case: set-not-null.proven
-- before: alter table target add constraint proof check (a is not null)
alter table target alter column a set not null;

-- case: drop-not-null
alter table target alter column g drop not null;

-- case: set-default
alter table target alter column a set default 5;

-- case: drop-default
alter table target alter column a drop default;

-- case: add-identity
alter table target alter column g add generated always as identity;

-- case: drop-identity
-- before: alter table target alter column g add generated always as identity
alter table target alter column g drop identity;

-- case: drop-expression
-- before: alter table target add column x int generated always as (a + 1) stored
alter table target alter column x drop expression;

-- case: set-expression
-- since: 17
-- before: alter table target add column x int generated always as (a + 1) stored
alter table target alter column x set expression as (a + 2);

-- case: set-statistics
alter table target alter column a set statistics 50;

-- case: set-storage
alter table target alter column f set storage external;

-- case: set-compression
alter table target alter column f set compression pglz;

-- case: set-column-options
alter table target alter column a set (n_distinct = 5);

-- case: type.varchar-wider
alter table target alter column b type varchar(20);

-- case: type.varchar-to-text
alter table target alter column b type text;

-- case: type.varchar-narrower
alter table target alter column b type varchar(5);

-- case: type.text-to-varchar
alter table target alter column l type varchar(50);

-- case: type.varchar-unbounded
alter table target alter column b type varchar;

-- case: type.int-to-bigint
alter table target alter column a type bigint;

-- case: type.numeric-wider
alter table target alter column c type numeric(12,2);

-- case: type.numeric-unbounded
alter table target alter column c type numeric;

-- case: type.numeric-scale
alter table target alter column c type numeric(12,3);

-- case: type.numeric-narrower
alter table target alter column c type numeric(8,2);

-- case: type.timestamptz-precision-wider
alter table target alter column m type timestamptz(6);

-- case: type.timestamptz-unbounded
alter table target alter column m type timestamptz;

-- case: type.timestamptz-precision-narrower
alter table target alter column e type timestamptz(2);

-- case: type.cidr-to-inet
alter table target alter column j type inet;

-- case: type.interval-wider
alter table target alter column k type interval(6);

-- case: type.using
alter table target alter column f type jsonb using f::jsonb;

-- case: type.varchar-wider-indexed
alter table target alter column s type varchar(20);

-- case: type.varchar-to-text-indexed
alter table target alter column s type text;

-- case: type.other
alter table target alter column a type numeric;

-- case: type.same
alter table target alter column a type int;

-- case: type.collation
alter table target alter column f type text collate "C";

-- case: type.collation-indexed
alter table target alter column s type varchar(10) collate "C";

-- case: type.checked
alter table target alter column h type int8;

-- case: type.referenced-key
alter table target alter column id type bigint;

-- case: type.foreign-key
-- before: alter table referenced add column code varchar(5) unique; alter table target add column code varchar(5) references referenced (code)
alter table target alter column code type varchar(20);

-- case: type.foreign-key-rewritten
alter table target alter column ref_id type bigint;

-- case: type.timestamp-to-timestamptz.utc
-- session: set timezone = 'UTC'
alter table target alter column d type timestamptz;

-- case: type.timestamp-to-timestamptz
-- session: set timezone = 'America/New_York'
alter table target alter column d type timestamptz;

-- case: type.timestamptz-to-timestamp.utc
-- session: set timezone = 'UTC'
alter table target alter column e type timestamp;

-- case: type.timestamptz-to-timestamp
-- session: set timezone = 'America/New_York'
alter table target alter column e type timestamp;

-- case: type.varchar-wider-checked
-- before: alter table target add constraint b_check check (length(b) > 0)
alter table target alter column b type varchar(30);

-- case: add-check
alter table target add constraint x check (a > 0);

-- case: add-check.not-valid
alter table target add constraint x check (a > 0) not valid;

-- case: add-check.partitioned
alter table root add constraint x check (v > 0);

-- case: validate.check
-- before: alter table target add constraint x check (a > 0) not valid
alter table target validate constraint x;

-- case: add-foreign-key
alter table target add constraint x foreign key (a) references referenced (id);

-- case: add-foreign-key.not-valid
alter table target add constraint x foreign key (a) references referenced (id) not valid;

-- case: add-foreign-key.partitioned
alter table root add constraint x foreign key (v) references referenced (id);

-- case: validate.foreign-key
-- before: alter table target add constraint x foreign key (a) references referenced (id) not valid
alter table target validate constraint x;

-- case: add-unique
alter table target add constraint x unique (a);

-- case: add-unique.using-index
alter table target add constraint x unique using index target_u;

-- case: add-primary-key
alter table apart add primary key (k);

-- case: add-primary-key.nullable
alter table apart add primary key (v);

-- case: add-primary-key.using-index
-- before: create unique index apart_k on apart (k)
alter table apart add constraint x primary key using index apart_k;

-- case: add-primary-key.using-index-nullable
-- before: create unique index apart_v on apart (v)
alter table apart add constraint x primary key using index apart_v;

-- case: add-exclude
alter table target add constraint x exclude using btree (a with =);

-- case: add-not-null
-- since: 18
alter table target add constraint x not null a;

-- case: add-not-null.not-valid
-- since: 18
alter table target add constraint x not null a not valid;

-- case: validate.not-null
-- since: 18
-- before: alter table target add constraint x not null a not valid
alter table target validate constraint x;

-- case: drop-constraint.check
alter table target drop constraint target_h;

-- case: drop-constraint.foreign-key
alter table target drop constraint target_ref;

-- case: drop-constraint.unique
-- before: alter table target add constraint x unique (a)
alter table target drop constraint x;

-- case: drop-constraint.primary-key
alter table referencing drop constraint referencing_pkey;

-- case: alter-constraint
alter table target alter constraint target_ref deferrable;

-- case: alter-constraint.not-enforced
-- since: 18
alter table target alter constraint target_ref not enforced;

-- case: attach-partition
alter table sole attach partition apart for values from (20) to (30);

-- case: attach-partition.proven
-- before: alter table apart add constraint x check (k is not null and k >= 20 and k < 30)
alter table sole attach partition apart for values from (20) to (30);

-- case: attach-partition.default-exists
alter table root attach partition apart for values from (20) to (30);

-- case: attach-partition.default-proven
-- before: alter table apart add constraint x check (k is not null and k >= 20 and k < 30); alter table fallback add constraint x check (k is not null and (k < 20 or k >= 30))
alter table root attach partition apart for values from (20) to (30);

-- case: detach-partition
alter table sole detach partition sole_part;

-- case: detach-partition.default-exists
alter table root detach partition part;

-- case: detach-partition.concurrently
-- hold: lock table sole in share update exclusive mode | lock table sole_part in access share mode
alter table sole detach partition sole_part concurrently;

-- case: inherit
-- before: create table parent (k int not null, v int)
alter table apart inherit parent;

-- case: no-inherit
-- before: create table parent (k int not null, v int); alter table apart inherit parent
alter table apart no inherit parent;

-- case: set-options.fillfactor
alter table target set (fillfactor = 70);

-- case: set-options.autovacuum
alter table target set (autovacuum_vacuum_scale_factor = 0.1);

-- case: set-options.toast
alter table target set (toast_tuple_target = 4000);

-- case: reset-options
alter table target reset (fillfactor);

-- case: set-unlogged
alter table apart set unlogged;

-- case: set-logged
-- before: alter table apart set unlogged
alter table apart set logged;

-- case: set-tablespace
alter table target set tablespace pg_default;

-- case: set-access-method
-- since: 15
alter table target set access method heap;

-- case: cluster-on
alter table target cluster on target_a;

-- case: set-without-cluster
alter table target set without cluster;

-- case: replica-identity
alter table target replica identity full;

-- case: replica-identity.index
alter table target replica identity using index target_g;

-- case: enable-row-security
alter table target enable row level security;

-- case: disable-row-security
alter table target disable row level security;

-- case: force-row-security
alter table target force row level security;

-- case: owner
alter table target owner to current_user;

-- case: enable-trigger
alter table watched enable trigger bell;

-- case: disable-trigger
alter table watched disable trigger bell;

-- case: disable-rule
alter table watched disable rule mirror;

-- case: several-actions
alter table target add column x int, add column y int;

-- case: create-table
create table fresh (id int primary key, b text);

-- case: create-table.foreign-key
create table fresh (id int primary key, t int references target);

-- case: create-table.partition-of
create table fresh partition of sole for values from (20) to (30);

-- case: create-table.partition-of-default-exists
create table fresh partition of root for values from (20) to (30);

-- case: create-table.default-partition
create table fresh partition of sole default;

-- case: create-table.as
create table fresh as select * from target;

-- case: create-table.like
create table fresh (like target including all);

-- case: create-table.inherits
create table fresh () inherits (target);

-- case: create-table.partitioned
create table fresh (k int) partition by range (k);

-- case: create-table.temporary
create temporary table fresh (k int);

-- case: create-index
create index fresh on target (f);

-- case: create-index.unique
create unique index fresh on target (id, a);

-- case: create-index.concurrently
-- hold: update target set f = f where id = 1
create index concurrently fresh on target (f);

-- case: create-index.unique-concurrently
-- hold: update target set f = f where id = 1
create unique index concurrently fresh on target (id, a);

-- case: create-index.partitioned
create index fresh on root (v);

-- case: create-index.partitioned-only
create index fresh on only root (v);

-- case: create-index.partitioned-concurrently
create index concurrently fresh on root (v);

-- case: attach-index
-- before: create index fresh on only sole (v); create index part_fresh on sole_part (v)
alter index fresh attach partition part_fresh;

-- case: rename-index
alter index target_a rename to target_aa;

-- case: alter-index.options
alter index target_a set (fillfactor = 70);

-- case: drop-index
drop index target_a;

-- case: drop-index.concurrently
-- hold: select 1 from target
drop index concurrently target_a;

-- case: drop-index.partitioned
-- before: create index fresh on root (v)
drop index fresh;

-- case: reindex.index
reindex index target_a;

-- case: reindex.table
reindex table target;

-- case: reindex.index-concurrently
-- hold: update target set f = f where id = 1
reindex index concurrently target_a;

-- case: reindex.table-concurrently
-- hold: update target set f = f where id = 1
reindex table concurrently target;

-- case: cluster
cluster target using target_a;

-- case: vacuum
-- hold: declare h cursor for select 1 from target; fetch 1 from h
vacuum (freeze) target;

-- case: vacuum.full
-- hold: select 1 from target
vacuum full target;

-- case: analyze
analyze target;

-- case: truncate
truncate watched;

-- case: truncate.cascade
truncate target cascade;

-- case: drop-table
drop table watched;

-- case: drop-table.referencing
drop table referencing;

-- case: drop-table.referenced-cascade
drop table referenced cascade;

-- case: drop-table.partition
drop table sole_part;

-- case: drop-table.partition-default-exists
drop table part;

-- case: drop-table.partitioned
drop table root;

-- case: drop-view
drop view pane;

-- case: drop-materialized-view
drop materialized view store;

-- case: drop-sequence
drop sequence counter;

-- case: drop-schema
-- before: create schema if not exists other; create table other.target (id int)
drop schema other cascade;

-- case: drop-type
drop type mood;

-- case: drop-function
drop function work() cascade;

-- case: drop-trigger
drop trigger bell on watched;

-- case: drop-policy
drop policy gate on watched;

-- case: drop-rule
drop rule mirror on watched;

-- case: drop-statistics
drop statistics target_stat;

-- case: drop-publication
drop publication paper;

-- case: create-trigger
create trigger fresh before insert on target for each row execute function work();

-- case: create-trigger.constraint
create constraint trigger fresh after insert on target for each row execute function work();

-- case: create-rule
create rule fresh as on insert to target do also nothing;

-- case: create-policy
create policy fresh on target using (true);

-- case: alter-policy
alter policy gate on watched using (false);

-- case: create-view
create view fresh as select * from target;

-- case: create-view.replace
create or replace view pane as select g, u from target;

-- case: rename-view
alter view pane rename to pane2;

-- case: alter-view.owner
alter view pane owner to current_user;

-- case: create-materialized-view
create materialized view fresh as select * from target;

-- case: create-materialized-view.no-data
create materialized view fresh as select * from target with no data;

-- case: refresh
refresh materialized view store;

-- case: refresh.concurrently
refresh materialized view concurrently store;

-- case: refresh.no-data
refresh materialized view store with no data;

-- case: rename-materialized-view
alter materialized view store rename to store2;

-- case: comment.table
comment on table target is 'x';

-- case: comment.column
comment on column target.a is 'x';

-- case: comment.index
comment on index target_a is 'x';

-- case: create-statistics
create statistics fresh on a, h from target;

-- case: grant
grant select on target to public;

-- case: revoke
revoke select on target from public;

-- case: create-publication
create publication fresh for table target;

-- case: create-publication.all-tables
create publication fresh for all tables;

-- case: alter-publication
alter publication paper add table target;

-- case: create-type
create type fresh as enum ('x');

-- case: add-enum-value
alter type mood add value 'glad';

-- case: rename-enum-value
alter type mood rename value 'ok' to 'fine';

-- case: rename-type
alter type mood rename to moods;

-- case: create-domain
create domain fresh as int check (value > 0);

-- case: domain-check
alter domain used add constraint x check (value > 0);

-- case: domain-check.not-valid
alter domain used add constraint x check (value > 0) not valid;

-- case: domain-validate
-- before: alter domain used add constraint x check (value > 0) not valid
alter domain used validate constraint x;

-- case: domain-not-null
alter domain used set not null;

-- case: domain-other
alter domain used drop not null;

-- case: create-schema
create schema fresh_schema;

-- case: rename-schema
-- before: create schema if not exists other
alter schema other rename to other2;

-- case: create-sequence
create sequence fresh;

-- case: alter-sequence
alter sequence counter increment by 2;

-- case: rename-sequence
alter sequence counter rename to counter2;

-- case: alter-sequence.owned-by
alter sequence counter owned by target.a;

-- case: create-function
create function fresh() returns int language sql as 'select 1';

-- case: create-extension
create extension if not exists plpgsql;

-- case: lock-table
lock table target;

-- case: lock-table.share
lock table target in share mode;

-- case: lock-table.row-exclusive
lock table target in row exclusive mode;

-- case: lock-table.share-update-exclusive
lock table target in share update exclusive mode;

-- case: lock-table.exclusive
lock table target in exclusive mode;

-- case: lock-table.share-row-exclusive
lock table target in share row exclusive mode;

-- case: lock-table.access-share
lock table target in access share mode;

-- case: lock-table.row-share
lock table target in row share mode;

-- case: insert
insert into target (id, g) values (100, 100);

-- case: insert.query
insert into apart select id, g from target;

-- case: update
update target set a = 1 where id = 1;

-- case: update.whole
update target set f = 'x';

-- case: delete
delete from watched where id = 1;

-- case: delete.whole
delete from watched;

-- case: merge
-- since: 15
merge into referencing w using apart s on w.id = s.k when matched then update set target_id = 1;

-- case: copy.to
copy (select 1) to program 'cat > /dev/null';

-- case: select
select a from target where id = 1;

-- case: create-database
create database fresh_database_x;

-- case: alter-system
alter system set work_mem = '4MB';
