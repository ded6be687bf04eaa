//! The codes of this room's planning half.
//!
//! `MOV-001` to `MOV-009`: the request. `MOV-010` to `MOV-029`: the table. `MOV-030` to `MOV-059`: what hangs on it.
//! `MOV-060` to `MOV-069`: a shape in the user's own words.

use corridor_pg::{Code, Exit, Retry};

macro_rules! codes {
    ($($name:ident $id:literal $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id,
                title: $title,
                retry: Retry::Never,
                exit: Exit::$exit,
                hint: $hint,
                page: $page,
            };
        )*
        /// Every code of this file.
        pub static PLAN_CODES: &[&Code] = &[$(&$name),*];
    };
}

/// The code with this id; [`UNKNOWN_DEPENDENT`] when a newer version of Corridor wrote it.
pub fn by_id(id: &str) -> &'static Code {
    PLAN_CODES
        .iter()
        .chain(crate::run::RUN_CODES)
        .find(|code| code.id == id)
        .copied()
        .unwrap_or(&UNKNOWN_DEPENDENT)
}

codes! {
BAD_SHAPE "MOV-001" Usage
    "the wanted shape cannot be read"
    "Write --partition-by \"hash(a, b)\" --partitions 16, \"range(col)\" --every '1 month', \"list(col)\", --unpartitioned, or --same-shape."
    "The words after --partition-by, --partitions, --every or --ahead do not make a shape. The message names the word that is wrong. Nothing was looked up or changed."
UNREADABLE_SHAPE "MOV-004" Usage
    "the wanted table cannot be read"
    "See the server's words; write the file as psql would run it, and expressions over the columns of one row."
    "The server did not understand a statement of the file after --to, or an expression after --set or --reverse-set. Names are looked up along the search path that psql would have. Nothing was changed: the file is read in a transaction that is always rolled back."
NOT_A_WANTED_STATEMENT "MOV-005" Usage
    "only create table and create index make a wanted table"
    "Leave everything else out of the file: what hangs on the table is carried by itself."
    "The file after --to holds a statement that makes neither a table nor an index. It was not run. Grants, triggers, comments, views and foreign keys are carried from the table that moves."
BAD_EXPRESSION "MOV-006" Usage
    "an expression is no function of one row"
    "Write an expression over the columns of one row: constants, casts, operators and functions that always give the same."
    "What a column is made from is computed several times for each row: when it is copied, whenever the row changes, and when both tables are compared. An expression with the clock, a random value, a sequence, another table or an aggregate would give something else each time. A new column that needs such a value gets it from its default, which is evaluated once for each row that is written."
NOT_A_WANTED_TABLE "MOV-007" Usage
    "the file does not make one plain table"
    "Write one create table NAME (…) without a schema, and create index statements on it."
    "What the file makes was looked up in the catalogue: it must be one plain table, without parents and partitions, that draws from no sequence of its own. A column that draws from a sequence today goes on drawing from the same one. Partitions are a move of their own."
NO_SUCH_COLUMN "MOV-002" Usage
    "the partition column does not exist"
    "Check the name; a name with capitals or spaces needs double quotes."
    "The table has no column of the name that stands in --partition-by. The message lists the columns that it has."
BAD_PARTITION_COLUMN "MOV-003" Refused
    "the column cannot be a partition column"
    "Choose another column, or another way to partition."
    "A hash partition column needs a type with a hash operator class; a range column must be an integer, numeric, date, timestamp or timestamptz; neither may be a generated column. `--every` must fit the type: a number for numbers, an interval for dates and times."
NOT_A_TABLE "MOV-010" Refused
    "this is not a table"
    "Name the table itself."
    "Only ordinary tables can be moved. A view, a materialized view, a sequence, an index or a type has no rows of its own that an application writes."
TEMPORARY_TABLE "MOV-011" Refused
    "a temporary table cannot be moved"
    "Temporary tables belong to one session; make it anew there."
    "A temporary table can be seen only by the session that made it, and is gone when that session ends."
UNLOGGED_TABLE "MOV-012" Refused
    "an unlogged table cannot be moved"
    "alter table … set logged, then move it."
    "After a crash of the server an unlogged table is empty, while the target and the ledger would not be. Nothing could be promised about the rows."
FOREIGN_TABLE "MOV-013" Refused
    "a foreign table cannot be moved"
    "Move the table on the server where it lives."
    "A foreign table's rows live elsewhere; triggers on it do not see what others write there."
CATALOG_TABLE "MOV-014" Refused
    "a table of the system catalogue cannot be moved"
    "Name a table of your own."
    "The table belongs to PostgreSQL itself."
PARTITION_CHILD "MOV-015" Refused
    "the table is a partition of another table"
    "Move the partitioned table itself, or detach the partition first."
    "Rows of a partition are written through its parent as well. A move of one partition is not supported yet."
PARTITIONED_SOURCE "MOV-016" Refused
    "the partitions of the table cannot be moved"
    "See the reason in the message. A detach that hangs is ended by alter table … detach partition … finalize."
    "A table that is partitioned already can be moved when each of its partitions is an ordinary table. One that is partitioned again, a foreign table, or one that is just being detached cannot. The message names the first such partition."
INHERITANCE "MOV-017" Refused
    "the table takes part in inheritance"
    "alter table … no inherit, then move it."
    "The table has children that inherit from it, or parents. A query on the parent reads the children too; a partitioned table cannot take part in that."
NO_KEY "MOV-018" Refused
    "the table has no key that can be used"
    "Add a primary key, or a unique index over not-null columns: create unique index concurrently …"
    "A move tells rows apart by a primary key, or else by a unique index that is valid, checked at once, not partial, without expressions, over not-null columns, with the default operator classes of PostgreSQL's own types and the collations of its columns, all ascending or all descending. The message lists each unique index and why it does not do."
UNFINISHED_MOVE "MOV-019" Refused
    "the table is part of a move that has not ended"
    "`corridor status` lists it; `finish` or `rollback` it first."
    "The table carries Corridor's own triggers or name: a move of it runs, waits or is held. Two moves of one table would destroy each other's work."
SPECIAL_TABLE "MOV-020" Refused
    "the table belongs to something that defines it"
    "Change the extension or the type that the table comes from."
    "The table is a member of an extension, or was made `of` a composite type. Replacing it would break the extension or the type."
MISSING_PRIVILEGE "MOV-021" Refused
    "privileges are missing"
    "Run the GRANT statements of the plan as somebody who may."
    "The role that Corridor connects as lacks privileges that the move needs. The plan prints the exact statements."
NULL_PARTITION_COLUMN "MOV-022" Refused
    "the partition column may be null"
    "Fill the nulls, then: alter table … alter column … set not null. Or choose --default-partition where the plan says that it helps."
    "A null fits into no range or list partition but the default one, and no primary key takes it. A column that is nullable could receive one at any time while the table moves, and the application's insert would fail afterwards where it succeeds today. The first offending keys are listed."
ROW_FITS_NO_PARTITION "MOV-023" Refused
    "rows fit into no partition"
    "Correct the rows, or use --default-partition."
    "Some values (infinity, NaN) lie in no range. The first offending keys are listed. Nothing was changed."
TOO_MANY_PARTITIONS "MOV-024" Refused
    "there would be too many partitions"
    "Use a larger --every, fewer --partitions, or correct the outlying rows."
    "Planning time and memory grow with the number of partitions; beyond a few thousand PostgreSQL becomes slow. A single row far away from the others (a date in 1970) often is the reason: the message shows the lowest and the highest value."
BOUNDARIES_UNKNOWN "MOV-026" Refused
    "the partitions could not be found out in time"
    "create index concurrently … on the partition column, then try again."
    "For range and list partitions Corridor must know the lowest and highest value, or all distinct values. Without an index that means reading the whole table; Corridor stops after 30 seconds, so that asking for a plan never burdens the server."
KEY_WIDENING "MOV-025" Refused
    "a unique key would have to take in the partition columns"
    "Read in the plan which guarantee is lost; go on with --accept key-widening."
    "PostgreSQL can only keep a unique key over a partitioned table when it contains all partition columns. The key is widened by them: afterwards two rows may agree in the old key's columns when they differ in the partition columns. Whether that can happen is the application's business."
PARTITION_SETTINGS "MOV-027" Refused
    "settings of single partitions would be lost"
    "Read in the plan what is lost; go on with --accept partition-settings, or choose --same-shape."
    "Indexes, grants, storage parameters, triggers, comments and the like that one partition has and its parent has not have no place in another partitioning. With --same-shape they are carried, partition by partition. What all partitions have alike (storage parameters, tablespace, replica identity, grants) the new ones get too."
KEY_NOT_MAPPED "MOV-060" Refused
    "the new table lacks the key of the old one"
    "Give the new table a primary key (or a unique index over not-null columns) of the old key's columns, in their order."
    "A move tells rows apart by one key on both sides. Each column of it must be the old column as it is, renamed, or with another type of the same order: smallint, integer and bigint among each other, text and varchar of one collation. A new key of other columns is a second step: add it after the move."
NO_VALUE "MOV-061" Refused
    "a column of the new table has no value"
    "Say what it is made from: --set 'column = expression'; or give it a default in the file."
    "The old table has no column of that name, or one whose type the server does not assign to the new one (or only by settings of the session, such as the time zone, which nobody should have to guess)."
NO_WAY_BACK "MOV-062" Refused
    "a column of the old table has no way back"
    "Say what it is made from after the cut-over: --reverse-set 'column = expression'; or give up the way back with --one-way."
    "After the cut-over every write flows back to the old table, so that rollback loses nothing. For that each column of the old table must be made from a row of the new one. A column that is gone, or that comes back only with a loss, needs a word: an expression, or --one-way, which means that there is no rollback after the cut-over."
ROWS_DO_NOT_FIT "MOV-063" Refused
    "rows do not fit into the new table"
    "Correct the rows in the message, or change the file or the expressions."
    "Rows were tried when the plan was made, as many as 30 seconds allow: their values cannot be converted, are too long or out of range, are null where they must not be, violate a check, or two of them would have the same unique key. The first are named, with the server's words."
COLUMN_USED "MOV-064" Refused
    "something uses a column that goes or changes its type"
    "Drop or change what the message names, and make it again after the move."
    "A view cannot be replaced by one whose columns have other types, and a view, rule, trigger, policy or statistics cannot use a column that is gone. They would break in the cut-over, so the move is refused before it begins."
ROW_SECURITY "MOV-030" Refused
    "row security hides rows from this role"
    "Run the move as a superuser or as a role with BYPASSRLS, or: alter table … no force row level security."
    "Row security is forced on this table, so it binds its owner too. A move that sees only some of the rows would copy only these. Corridor's sessions switch row security off, which makes the server refuse rather than hide."
PUBLICATION "MOV-031" Refused
    "the table is published in a way that cannot be carried"
    "Name the table in a publication of its own instead of its schema or all tables; for a partitioned target also: alter publication … set (publish_via_partition_root = true)."
    "A publication of all tables, or of the schema, would take in the new table from its first row on: subscribers would get rows of a table that they do not have, and stop. One that does not publish via the partition root would send changes under the partitions' names. A publication that names the table is carried."
EXTENDED_STATISTICS "MOV-033" Refused
    "extended statistics cannot be carried"
    "Drop them and create them again after the move."
    "The server wrote their definition in a form that this version of Corridor does not understand."
MATERIALIZED_VIEW "MOV-034" Refused
    "a materialized view cannot be carried"
    "Drop it and create it again after the move."
    "A materialized view is made anew on the new table, and filled before the cut-over, when the new table has no policies yet: a view whose owner is under row security would hold rows that it must not. It is made from its query with the table's bare name. The server writes this query with a qualified name where the bare one would mean something else: a relation of pg_catalog, or another one of the schemas concerned, has the same name."
ROW_TYPE_USED "MOV-035" Refused
    "the table's row type is used elsewhere"
    "Change what uses the type, or wait for a later version."
    "Each table has a type of its own name. Functions, columns or types that use it would stay with the old table's type."
EXCLUSION_CONSTRAINT "MOV-038" Refused
    "an exclusion constraint cannot be carried to this shape"
    "Choose partition columns that the constraint compares for equality (PostgreSQL 17 and newer), or drop the constraint first."
    "PostgreSQL carries out an exclusion constraint by an index of one table. Over partitions it holds only when rows in different partitions can never exclude each other: each partition column must be compared for equality. Before PostgreSQL 17 a partitioned table cannot have one at all."
UNKNOWN_DEPENDENT "MOV-040" Refused
    "something hangs on the table that Corridor does not know"
    "Look at what the message names; please report it."
    "The catalogue says that an object depends on the table, and Corridor does not know how to carry it. Going on would leave it with the old table."
TRIGGER_NOT_CARRIED "MOV-041" Refused
    "a trigger cannot be carried"
    "Rewrite the trigger, or choose --same-shape."
    "PostgreSQL does not allow this kind of trigger on a partitioned table: a row trigger with transition tables."
REFERENCED_KEY_LOST "MOV-042" Refused
    "a foreign key references a unique key that cannot stay"
    "Partition by columns of the referenced key, or drop the foreign key."
    "A foreign key needs a unique key over exactly the columns that it references. On the new table that key would be widened by the partition columns, so the foreign key could not exist any more."
FOREIGN_KEY_NOT_CARRIED "MOV-043" Refused
    "a foreign key cannot be carried"
    "See the reason in the message."
    "Before PostgreSQL 18 a partitioned table cannot have a foreign key that is not validated, and foreign keys over periods are not carried yet. The message says which key, and why."
VIEW_NOT_CARRIED "MOV-044" Refused
    "a view cannot be carried"
    "Drop the view and create it again after the move."
    "The view is another session's temporary view, or it relies on something of the table that does not stay: its row type, or a primary key that is widened while the view groups by it."
INDEX_NOT_CARRIED "MOV-045" Refused
    "an index cannot be carried"
    "Drop or rebuild the index first."
    "The index is invalid (a concurrent build that failed), or of a kind that a partitioned table cannot have."
REPLICA_IDENTITY "MOV-046" Refused
    "the replica identity cannot be carried"
    "alter table … replica identity default, or full."
    "The table's replica identity is an index that the new shape cannot have: over partitions it would have to be widened by a column that may be null, or it is the key of the move without being the primary key."
SEQUENCE_NOT_CARRIED "MOV-047" Refused
    "a sequence cannot be carried"
    "See the reason in the message."
    "A sequence that a column owns stays, and changes its owner table in the swap. That needs the same schema and the same owner."
SUBSCRIPTION "MOV-049" Refused
    "a subscription writes to the table"
    "Drop the subscription (or take the table out of its publication and refresh it) before the move, and make it anew afterwards."
    "A subscription knows its tables by their ids, not by their names. After the swap the new table is not known to it: every change for it would be skipped without an error, and acknowledged to the publisher. No refresh brings such changes back."
DEFINITION_NOT_CARRIED "MOV-048" Refused
    "a definition cannot be carried"
    "See the reason in the message."
    "A not-null constraint that is not validated (PostgreSQL 18) may be violated by rows that are there; the copy could not take them. A check, an index or a generated column that uses the table's whole row names the table itself, and would mean another one on the new table."
}
