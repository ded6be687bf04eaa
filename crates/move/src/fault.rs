//! The codes of this room's planning half.
//!
//! `MOV-001` to `MOV-009`: the request. `MOV-010` to `MOV-029`: the table. `MOV-030` to `MOV-059`: what hangs on it.

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
        .find(|code| code.id == id)
        .copied()
        .unwrap_or(&UNKNOWN_DEPENDENT)
}

codes! {
BAD_SHAPE "MOV-001" Usage
    "the wanted shape cannot be read"
    "Write --partition-by \"hash(a, b)\" --partitions 16, \"range(col)\" --every '1 month', \"list(col)\", or --same-shape."
    "The words after --partition-by, --partitions, --every or --ahead do not make a shape. The message names the word that is wrong. Nothing was looked up or changed."
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
    "the table is partitioned already"
    "Not supported yet."
    "Moving a table that is partitioned into another partitioning is planned, and not supported yet."
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
ROW_SECURITY "MOV-030" Refused
    "the table has row security policies"
    "Not carried yet: drop the policies and switch row security off first, or wait for a later version."
    "Policies decide which rows a role sees. Corridor does not carry them to the new table yet, and a table without them would show everything."
PUBLICATION "MOV-031" Refused
    "the table is published"
    "Take the table out of the publication first, or wait for a later version."
    "A publication sends the table's changes to subscribers, by the table's identity. After the swap the new table would not be published; in a publication of all tables or of the schema the copy itself would be sent to subscribers that have no such table, and stop them."
RULES "MOV-032" Refused
    "the table has rewrite rules"
    "Replace the rules by triggers, or wait for a later version."
    "Rules change what a statement on the table does. Corridor does not carry them yet."
EXTENDED_STATISTICS "MOV-033" Refused
    "the table has extended statistics"
    "Drop them and create them again after the move, or wait for a later version."
    "CREATE STATISTICS objects belong to one table. Corridor does not carry them yet, and without them plans can change."
MATERIALIZED_VIEW "MOV-034" Refused
    "a materialized view reads the table"
    "Drop it and create it again after the move, or wait for a later version."
    "A materialized view would go on reading the old table; it cannot be replaced without computing it anew."
ROW_TYPE_USED "MOV-035" Refused
    "the table's row type is used elsewhere"
    "Change what uses the type, or wait for a later version."
    "Each table has a type of its own name. Functions, columns or types that use it would stay with the old table's type."
SQL_BODY "MOV-036" Refused
    "a function with an SQL-standard body uses the table"
    "Write the function with a quoted body (as $$ … $$), or wait for a later version."
    "Functions written with BEGIN ATOMIC or RETURN keep hold of the table itself, not of its name. They would go on using the old table."
SECURITY_LABEL "MOV-037" Refused
    "the table has security labels"
    "Wait for a later version."
    "Security labels belong to one table. Corridor does not carry them yet."
EXCLUSION_CONSTRAINT "MOV-038" Refused
    "the table has an exclusion constraint"
    "Drop it first, or wait for a later version."
    "An exclusion constraint compares rows with each other by operators of one's own. Corridor does not carry them yet, and a mirror cannot order their changes."
DEFERRABLE_KEY "MOV-039" Refused
    "the table has a deferrable unique constraint"
    "Make it not deferrable, or wait for a later version."
    "A deferrable unique constraint may be violated inside of a transaction. Corridor does not carry them yet."
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
    "The table's replica identity is an index. Corridor carries the default, full and nothing."
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
