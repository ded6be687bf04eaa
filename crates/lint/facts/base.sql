-- Purpose: the small schema that every statement of cases.sql is measured on.
-- Locks: none that matter; it is made anew for each case.
-- Oldest version: 14
create table referenced (id int primary key, n int);
create table target (
    id int constraint target_pkey primary key,
    a int,
    b varchar(10),
    c numeric(10,2),
    d timestamp,
    e timestamptz,
    f text,
    g int not null,
    h int constraint target_h check (h > 0),
    ref_id int constraint target_ref references referenced,
    j cidr,
    k interval(3),
    u int,
    s varchar(10),
    m timestamptz(3),
    l text
);
create index target_a on target (a);
create unique index target_u on target (u);
create index target_s on target (s);
create unique index target_g on target (g);
create table referencing (id int primary key, target_id int constraint referencing_target references target);
create table root (k int not null, v int) partition by range (k);
create table part partition of root for values from (0) to (10);
create table fallback partition of root default;
create table sole (k int not null, v int) partition by range (k);
create table sole_part partition of sole for values from (0) to (10);
create table apart (k int not null, v int);
create sequence counter;
create view pane as select g, u from target;
create materialized view store as select g, u from target;
create unique index store_g on store (g);
create type mood as enum ('ok', 'sad');
create domain positive as int check (value > 0);
create domain plain as int;
create domain used as int;
create table user_of_domain (id int, x used);
create function work() returns trigger language plpgsql as 'begin return new; end';
create table watched (id int primary key, a int);
create trigger bell before insert on watched for each row execute function work();
create policy gate on watched using (true);
create rule mirror as on insert to watched do also nothing;
create statistics target_stat on a, g from target;
create publication paper for table referenced;
insert into referenced select n, n from generate_series(1, 3) n;
insert into target (id, a, b, f, g, h, ref_id, u, s) select n, n, 'b', '{}', n, n, n, n, 's' from generate_series(1, 3) n;
insert into referencing values (1, 1);
insert into root values (1, 1), (100, 1);
insert into apart values (20, 1);
insert into user_of_domain values (1, 1);
analyze;
