use super::*;
use crate::carry::sample::{self, id};
use crate::plan::make::tests::input;
use crate::plan::{PlanInput, plan};
use crate::preflight::{Bound, Spread};
use crate::shape::{Every, Shape, TimeUnit};

fn shown(input: &PlanInput) -> String {
    let text = render(&plan(input).unwrap());
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
    text
}

#[test]
fn a_composite_hash() {
    let mut input = input();
    input.table.indexes = vec![
        sample::primary_key(&["team_id", "id"]),
        sample::index(102, "persons_name_idx", &["name"]),
    ];
    insta::assert_snapshot!(shown(&input), @r#"
    Move public.persons into 2 partitions by hash of (team_id)

      rows          about 1,000
      size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
      disk needed   154.0 MB
      WAL needed    171.0 MB
      how           disk = heap + TOAST + indexes, and 10 % for the change log and
                    free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                    and its headers) + indexes x 1.05
      key           team_id, id
      new table     public.persons__c_new_t with 2 partitions
      old table     public.persons__c_old_t after the cut-over,
                    corridor_retired.persons__c_old_t after finish

    To know
      - a query that does not say team_id looks into all 2 partitions

    1. prepare: new tables, empty; nothing of the application's is locked for them
         create table public.persons__c_new_t (
           id bigint not null,
           team_id integer not null,
           name text
         ) partition by hash (team_id);
         alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
           primary key (team_id, id);
         create table public.persons_p0 partition of public.persons__c_new_t for
           values with (modulus 2, remainder 0) using heap;
           -- and 1 more like it
       - the mirror's own tables and functions, in the schema corridor (made when it
         is not there): 22 statements, no lock that the application could meet;
         --json has them
       - the capture on public.persons; n is the number that the migration gets:
         SHARE ROW EXCLUSIVE on public.persons; milliseconds
         create trigger corridor_capture_n_fwd_new after insert or update on
           public.persons for each row execute function
           corridor.corridor_capture_n_fwd_new();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_new;
         create trigger corridor_capture_n_fwd_old after delete on public.persons
           for each row execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_old;
         create trigger corridor_capture_n_fwd_key after update on public.persons
           for each row when ((old.team_id, old.id) is distinct from (new.team_id,
           new.id)) execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_key;
         create trigger corridor_capture_n_fwd_truncate after truncate on
           public.persons for each statement execute function
           corridor.corridor_capture_n_fwd_truncate();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_truncate;

    2. copy: in chunks, throttled, beside the application: id, team_id, name

    3. index: on the new table; the application does not use it yet
         create index persons_name_idx__c_new_t on only public.persons__c_new_t
           USING btree (name);
           -- SHARE on public.persons__c_new_t: milliseconds
         create index persons_name_idx_p0 on public.persons_p0 USING btree (name);
           -- SHARE on public.persons_p0: while it runs
         alter index public.persons_name_idx__c_new_t attach partition
           public.persons_name_idx_p0;
           -- and 1 more group like these 2

    4. constrain: analyze; checks and keys are proven by the source, see cutover and
       hold

    5. verify: every row of both tables is compared; nothing is locked

    6. cutover: one transaction, after the tables of the reverse mirror are made;
       waits for its locks within a budget, then holds them for as long as these
       statements and the last changes take: ACCESS EXCLUSIVE on public.persons,
       ACCESS EXCLUSIVE on public.persons__c_new_t and its partitions
       - the capture ends
         drop trigger if exists corridor_capture_n_fwd_new on public.persons;
         drop trigger if exists corridor_capture_n_fwd_old on public.persons;
         drop trigger if exists corridor_capture_n_fwd_key on public.persons;
         drop trigger if exists corridor_capture_n_fwd_truncate on public.persons;
       - the tables change places
         alter index public.persons_pkey rename to persons_pkey__c_old_t;
         alter index public.persons_name_idx rename to persons_name_idx__c_old_t;
         alter table public.persons rename to persons__c_old_t;
         alter table public.persons__c_new_t rename to persons;
         alter index public.persons_pkey__c_new_t rename to persons_pkey;
         alter index public.persons_name_idx__c_new_t rename to persons_name_idx;
       - the capture for the way back begins
         create trigger corridor_capture_n_rev_new after insert or update on
           public.persons for each row execute function
           corridor.corridor_capture_n_rev_new();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_new;
         create trigger corridor_capture_n_rev_old after delete on public.persons
           for each row execute function corridor.corridor_capture_n_rev_old();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_old;
         create trigger corridor_capture_n_rev_key after update on public.persons
           for each row when ((old.team_id, old.id) is distinct from (new.team_id,
           new.id)) execute function corridor.corridor_capture_n_rev_old();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_key;
         create trigger corridor_capture_n_rev_truncate after truncate on
           public.persons for each statement execute function
           corridor.corridor_capture_n_rev_truncate();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_truncate;
         create trigger corridor_capture_n_rev_truncate after truncate on
           public.persons_p0 for each statement execute function
           corridor.corridor_capture_n_rev_truncate();
         alter table public.persons_p0 enable always trigger
           corridor_capture_n_rev_truncate;
           -- and 1 more group like these 2

    7. hold: writes flow back to the old table; until you say finish

    8. finish: when you say so, and from then on there is no way back; one
       transaction of milliseconds, its locks waited for within a budget: ACCESS
       EXCLUSIVE on public.persons and its partitions, ACCESS EXCLUSIVE on
       public.persons__c_old_t
       - the capture for the way back ends
         drop trigger if exists corridor_capture_n_rev_new on public.persons;
         drop trigger if exists corridor_capture_n_rev_old on public.persons;
         drop trigger if exists corridor_capture_n_rev_key on public.persons;
         drop trigger if exists corridor_capture_n_rev_truncate on public.persons;
         drop trigger if exists corridor_capture_n_rev_truncate on
           public.persons_p0;
           -- and 1 more like it
       - `finish`: the old table goes out of the way
         do $$ begin if to_regnamespace('corridor_retired') is null then create
           schema corridor_retired; end if; end $$;
         alter table public.persons__c_old_t set schema corridor_retired;
       - `finish --drop`, instead: the old table is dropped
         drop table public.persons__c_old_t;
       - the mirrors' own tables and functions go: 22 statements, no lock that the
         application could meet; --json has them

    The way back
      before the cut-over: stop or rollback drops what was made, in one transaction
        of milliseconds; the rows of the old table were never touched: ACCESS
        EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public.persons__c_new_t and
        its partitions
         drop trigger if exists corridor_capture_n_fwd_new on public.persons;
         drop trigger if exists corridor_capture_n_fwd_old on public.persons;
         drop trigger if exists corridor_capture_n_fwd_key on public.persons;
         drop trigger if exists corridor_capture_n_fwd_truncate on public.persons;
         drop table if exists public.persons__c_new_t;
       - the mirrors' own tables and functions go: 22 statements, no lock that the
         application could meet; --json has them
      after it, until finish: rollback swaps back, with every write since, in one
        transaction as at the cut-over: ACCESS EXCLUSIVE on public.persons and its
        partitions, ACCESS EXCLUSIVE on public.persons__c_old_t
       - the capture ends
         drop trigger if exists corridor_capture_n_rev_new on public.persons;
         drop trigger if exists corridor_capture_n_rev_old on public.persons;
         drop trigger if exists corridor_capture_n_rev_key on public.persons;
         drop trigger if exists corridor_capture_n_rev_truncate on public.persons;
         drop trigger if exists corridor_capture_n_rev_truncate on
           public.persons_p0;
           -- and 1 more like it
       - the tables change places again
         alter index public.persons_pkey rename to persons_pkey__c_new_t;
         alter index public.persons_name_idx rename to persons_name_idx__c_new_t;
         alter table public.persons rename to persons__c_new_t;
         alter table public.persons__c_old_t rename to persons;
         alter index public.persons_pkey__c_old_t rename to persons_pkey;
         alter index public.persons_name_idx__c_old_t rename to persons_name_idx;
      then the new table is dropped, as before the cut-over
      after finish: there is none
    "#);
}

#[test]
fn a_widened_key_that_nobody_accepted() {
    let mut input = input();
    input.accepts_key_widening = false;
    input.facts.missing_grants = vec!["grant create on schema public to boss".into()];
    insta::assert_snapshot!(shown(&input).split("\n1. ").next().unwrap(), @r#"
    Move public.persons into 2 partitions by hash of (team_id)

      rows          about 1,000
      size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
      disk needed   154.0 MB
      WAL needed    171.0 MB
      how           disk = heap + TOAST + indexes, and 10 % for the change log and
                    free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                    and its headers) + indexes x 1.05
      key           id; afterwards id, team_id
      new table     public.persons__c_new_t with 2 partitions
      old table     public.persons__c_old_t after the cut-over,
                    corridor_retired.persons__c_old_t after finish

    Refused, because
      - MOV-025: a unique key would have to take in the partition columns:
        persons_pkey guarantees today that no two rows have the same (id);
        afterwards only that no two have the same (id, team_id): two rows with the
        same (id) and different (team_id) become possible

    Somebody with the right to must first run
      - grant create on schema public to boss;

    To know
      - a query that does not say team_id looks into all 2 partitions
    "#);
}

#[test]
fn a_range_by_month() {
    let mut input = input();
    input.table.indexes = vec![sample::primary_key(&["id", "at"])];
    input
        .table
        .columns
        .push(sample::column(2, "at", "timestamp with time zone", 1184));
    let every = Every::Time {
        count: 1,
        unit: TimeUnit::Month,
    };
    input.shape = Shape::Range {
        column: id("at"),
        every,
        ahead: 1,
        has_default_partition: true,
    };
    let bound = |from: &str, to: &str| Bound {
        lower: Some(format!("{from}-01 00:00:00+00")),
        upper: Some(format!("{to}-01 00:00:00+00")),
        suffix: format!("p{}", from.replace('-', "_")),
    };
    input.spread = Spread::Range {
        bounds: vec![bound("2026-10", "2026-11"), bound("2026-11", "2026-12")],
        lowest: None,
        highest: None,
    };
    insta::assert_snapshot!(shown(&input).split("\n2. ").next().unwrap(), @r#"
    Move public.persons into partitions by range of at, one for every 1 month

      rows          about 1,000
      size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
      disk needed   154.0 MB
      WAL needed    171.0 MB
      how           disk = heap + TOAST + indexes, and 10 % for the change log and
                    free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                    and its headers) + indexes x 1.05
      key           id, at
      new table     public.persons__c_new_t with 3 partitions
      old table     public.persons__c_old_t after the cut-over,
                    corridor_retired.persons__c_old_t after finish

    To know
      - a query that does not say at looks into all 3 partitions

    1. prepare: new tables, empty; nothing of the application's is locked for them
         create table public.persons__c_new_t (
           id bigint not null,
           team_id integer not null,
           name text,
           at timestamp with time zone not null
         ) partition by range (at);
         alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
           primary key (id, at);
         create table public.persons_p2026_10 partition of public.persons__c_new_t
           for values from ('2026-10-01 00:00:00+00') to ('2026-11-01 00:00:00+00')
           using heap;
           -- and 1 more like it
         create table public.persons_default partition of public.persons__c_new_t
           default using heap;
       - the mirror's own tables and functions, in the schema corridor (made when it
         is not there): 22 statements, no lock that the application could meet;
         --json has them
       - the capture on public.persons; n is the number that the migration gets:
         SHARE ROW EXCLUSIVE on public.persons; milliseconds
         create trigger corridor_capture_n_fwd_new after insert or update on
           public.persons for each row execute function
           corridor.corridor_capture_n_fwd_new();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_new;
         create trigger corridor_capture_n_fwd_old after delete on public.persons
           for each row execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_old;
         create trigger corridor_capture_n_fwd_key after update on public.persons
           for each row when ((old.id, old.at) is distinct from (new.id, new.at))
           execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_key;
         create trigger corridor_capture_n_fwd_truncate after truncate on
           public.persons for each statement execute function
           corridor.corridor_capture_n_fwd_truncate();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_truncate;
    "#);
}

#[test]
fn a_list() {
    let mut input = input();
    input.table.indexes = vec![sample::primary_key(&["id", "name"])];
    input.table.columns[2].is_not_null = true;
    input.shape = Shape::List {
        column: id("name"),
        has_default_partition: false,
    };
    input.spread = Spread::List {
        values: vec!["de".into(), "fr".into()],
    };
    insta::assert_snapshot!(shown(&input).split("\n2. ").next().unwrap(), @r#"
    Move public.persons into partitions by list of name, one for every value

      rows          about 1,000
      size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
      disk needed   154.0 MB
      WAL needed    171.0 MB
      how           disk = heap + TOAST + indexes, and 10 % for the change log and
                    free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                    and its headers) + indexes x 1.05
      key           id, name
      new table     public.persons__c_new_t with 2 partitions
      old table     public.persons__c_old_t after the cut-over,
                    corridor_retired.persons__c_old_t after finish

    To know
      - a query that does not say name looks into all 2 partitions
      - rows with a value of name that is not there today will be refused: make a
        partition for each new value in time, or use --default-partition

    1. prepare: new tables, empty; nothing of the application's is locked for them
         create table public.persons__c_new_t (
           id bigint not null,
           team_id integer not null,
           name text not null
         ) partition by list (name);
         alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
           primary key (id, name);
         create table public.persons_p_de partition of public.persons__c_new_t for
           values in ('de') using heap;
         create table public.persons_p_fr partition of public.persons__c_new_t for
           values in ('fr') using heap;
       - the mirror's own tables and functions, in the schema corridor (made when it
         is not there): 22 statements, no lock that the application could meet;
         --json has them
       - the capture on public.persons; n is the number that the migration gets:
         SHARE ROW EXCLUSIVE on public.persons; milliseconds
         create trigger corridor_capture_n_fwd_new after insert or update on
           public.persons for each row execute function
           corridor.corridor_capture_n_fwd_new();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_new;
         create trigger corridor_capture_n_fwd_old after delete on public.persons
           for each row execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_old;
         create trigger corridor_capture_n_fwd_key after update on public.persons
           for each row when ((old.id, old.name) is distinct from (new.id,
           new.name)) execute function corridor.corridor_capture_n_fwd_old();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_key;
         create trigger corridor_capture_n_fwd_truncate after truncate on
           public.persons for each statement execute function
           corridor.corridor_capture_n_fwd_truncate();
         alter table public.persons enable always trigger
           corridor_capture_n_fwd_truncate;
    "#);
}

#[test]
fn the_same_shape() {
    let mut input = input();
    input.shape = Shape::Same;
    input.table.row_estimate = -1.0;
    let text = shown(&input);
    insta::assert_snapshot!(text.split("\n1. ").next().unwrap(), @r#"
    Move public.persons into the same shape, written anew

      rows          unknown (never analysed)
      size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
      disk needed   154.0 MB
      WAL needed    171.0 MB
      how           disk = heap + TOAST + indexes, and 10 % for the change log and
                    free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                    and its headers) + indexes x 1.05
      key           id
      new table     public.persons__c_new_t
      old table     public.persons__c_old_t after the cut-over,
                    corridor_retired.persons__c_old_t after finish
    "#);
    let (_, finish) = text.split_once("\n8. ").unwrap();
    insta::assert_snapshot!(finish.split("\nThe way back").next().unwrap(), @r#"
    finish: when you say so, and from then on there is no way back; one
       transaction of milliseconds, its locks waited for within a budget: ACCESS
       EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public.persons__c_old_t
       - the capture for the way back ends
         drop trigger if exists corridor_capture_n_rev_new on public.persons;
         drop trigger if exists corridor_capture_n_rev_old on public.persons;
         drop trigger if exists corridor_capture_n_rev_key on public.persons;
         drop trigger if exists corridor_capture_n_rev_truncate on public.persons;
       - `finish`: the old table goes out of the way
         do $$ begin if to_regnamespace('corridor_retired') is null then create
           schema corridor_retired; end if; end $$;
         alter table public.persons__c_old_t set schema corridor_retired;
       - `finish --drop`, instead: the old table is dropped
         drop table public.persons__c_old_t;
       - the mirrors' own tables and functions go: 22 statements, no lock that the
         application could meet; --json has them
    "#);
}

/// What `--fallback-view` does stands where it is done, and so does what goes with it; readers by their grants.
#[test]
fn a_fallback_view() {
    let mut input = input();
    input.shape = Shape::Same;
    input.fallback_view = Some(crate::plan::WantedView {
        name: sample::public("persons both"),
        is_taken: false,
    });
    let grants = &mut input.table.grants;
    grants.push(sample::grant(None, "SELECT", None, false));
    grants.push(sample::grant(Some("clerk"), "SELECT", Some("name"), false));
    let text = shown(&input);
    let (_, prepare) = text.split_once("- the fallback view").unwrap();
    insta::assert_snapshot!(prepare.split("\n2. ").next().unwrap(), @r#"
    public."persons both", until the cut-over: ACCESS SHARE
        on public.persons, ACCESS SHARE on public.persons__c_new_t; milliseconds
        create view public."persons both" as select n.id, n.team_id, n.name from
          public.persons__c_new_t n union all select o.id, o.team_id, o.name from
          public.persons o where not exists (select from public.persons__c_new_t n
          where n.id = o.id);
        comment on view public."persons both" is 'corridor: fallback view of a
          move; dropped at the cut-over';
        grant select on public."persons both" to boss;
        grant select on public."persons both" to public;
    "#);
    let (_, cutover) = text.split_once("\n6. ").unwrap();
    insta::assert_snapshot!(cutover.split("\n7. ").next().unwrap(), @r#"
    cutover: one transaction, after the tables of the reverse mirror are made;
       waits for its locks within a budget, then holds them for as long as these
       statements and the last changes take: ACCESS EXCLUSIVE on public.persons,
       ACCESS EXCLUSIVE on public.persons__c_new_t, ACCESS EXCLUSIVE on
       public."persons both"
       - the capture ends
         drop trigger if exists corridor_capture_n_fwd_new on public.persons;
         drop trigger if exists corridor_capture_n_fwd_old on public.persons;
         drop trigger if exists corridor_capture_n_fwd_key on public.persons;
         drop trigger if exists corridor_capture_n_fwd_truncate on public.persons;
         do 'begin if obj_description(to_regclass(''public."persons both"''),
           ''pg_class'') like ''corridor: fallback%'' then drop view
           public."persons both"; end if; end';
       - the tables change places
         alter index public.persons_pkey rename to persons_pkey__c_old_t;
         alter table public.persons rename to persons__c_old_t;
         alter table public.persons__c_new_t rename to persons;
         alter index public.persons_pkey__c_new_t rename to persons_pkey;
       - the capture for the way back begins
         create trigger corridor_capture_n_rev_new after insert or update on
           public.persons for each row execute function
           corridor.corridor_capture_n_rev_new();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_new;
         create trigger corridor_capture_n_rev_old after delete on public.persons
           for each row execute function corridor.corridor_capture_n_rev_old();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_old;
         create trigger corridor_capture_n_rev_key after update on public.persons
           for each row when ((old.id) is distinct from (new.id)) execute function
           corridor.corridor_capture_n_rev_old();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_key;
         create trigger corridor_capture_n_rev_truncate after truncate on
           public.persons for each statement execute function
           corridor.corridor_capture_n_rev_truncate();
         alter table public.persons enable always trigger
           corridor_capture_n_rev_truncate;
    "#);
    let (_, back) = text.split_once("\nThe way back").unwrap();
    insta::assert_snapshot!(back.split("  after it").next().unwrap(), @r#"
    before the cut-over: stop or rollback drops what was made, in one transaction
      of milliseconds; the rows of the old table were never touched: ACCESS
      EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public."persons both",
      ACCESS EXCLUSIVE on public.persons__c_new_t
       drop trigger if exists corridor_capture_n_fwd_new on public.persons;
       drop trigger if exists corridor_capture_n_fwd_old on public.persons;
       drop trigger if exists corridor_capture_n_fwd_key on public.persons;
       drop trigger if exists corridor_capture_n_fwd_truncate on public.persons;
       do 'begin if obj_description(to_regclass(''public."persons both"''),
         ''pg_class'') like ''corridor: fallback%'' then drop view
         public."persons both"; end if; end';
       drop table if exists public.persons__c_new_t;
     - the mirrors' own tables and functions go: 22 statements, no lock that the
       application could meet; --json has them
    "#);
}

/// The name of the view is taken: the plan says so before anything is stored.
#[test]
fn a_fallback_view_whose_name_is_taken() {
    let mut input = input();
    input.fallback_view = Some(crate::plan::WantedView {
        name: sample::public("report"),
        is_taken: true,
    });
    let text = shown(&input);
    assert!(
        text.contains("MOV-112: the name of the fallback view is taken: public.report"),
        "{text}"
    );
}

#[test]
fn groups_are_told_once() {
    let shapes = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(repetition(&shapes(&["a", "a", "a", "b"])), (1, 3));
    assert_eq!(repetition(&shapes(&["a", "b", "a", "b", "c"])), (2, 2));
    assert_eq!(repetition(&shapes(&["a", "b", "c"])), (1, 1));
    assert_eq!(repetition(&shapes(&["a"])), (1, 1));
}

#[test]
fn a_quoted_name_is_not_broken() {
    let split = |text| words(text).iter().map(|(_, word)| *word).collect::<Vec<_>>();
    assert_eq!(
        split(r#"on public."a ""b"" c" (x)"#),
        ["on", r#"public."a ""b"" c""#, "(x)"]
    );
    assert_eq!(split("one \"two three"), ["one", "\"two", "three"]);
    assert_eq!(split("  a  b "), ["a", "b", ""]);
}

#[test]
fn figures_read_well() {
    assert_eq!(
        (bytes(999).as_str(), bytes(80 << 20).as_str()),
        ("999 bytes", "80.0 MB")
    );
    assert_eq!(
        (grouped(999), grouped(1_234_567)),
        ("999".into(), "1,234,567".into())
    );
}
