//! The codes of this room. Those below 900 are findings: what a check finds, with a page each. The others are faults.

use corridor_pg::{Code, Exit, Retry};

macro_rules! findings {
    ($($name:ident $id:literal $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id, title: $title, retry: Retry::Never, exit: Exit::BadResult, hint: $hint, page: $page,
            };
        )*
        /// All findings.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

macro_rules! faults {
    ($($name:ident $id:literal $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id, title: $title, retry: Retry::Never, exit: Exit::$exit, hint: $hint, page: $page,
            };
        )*
        /// All faults.
        pub static FAULTS: &[&Code] = &[$(&$name),*];
    };
}

faults! {
    NOT_APPLICABLE "LIM-901" Refused
        "that way cannot be applied"
        "Take the command that `corridor check --long` shows, or another way with --way."
        "`corridor check --apply` does what is one safe statement, or a loop of small ones. The way that was asked for, or the one \
         that the decision tree recommends here, is another kind: a move, a change of the application. Nothing was changed."
    WITHOUT_EFFECT "LIM-902" BadResult
        "it was done, and had not the effect that it should"
        "See the message; `corridor check --long` says what stands in the way."
        "After a remedy was applied Corridor looked whether the figure that it was to mend has changed, and it has not: somebody \
         undid it, an old snapshot keeps a vacuum from taking away what is dead, or the counter is somewhere else than expected."
}

findings! {
    TOAST_IDS "LIM-001"
        "the TOAST ids of a table run short"
        "`corridor check --only toast` names the next stretch, how slow a write there will be, and the way out."
        "Each value that is stored out of line needs an id that its TOAST relation does not use. Ids come from one \
         counter of the whole cluster, which goes round after 4.29 billion. Where it meets used ids, each write looks up \
         one after the other until it finds a free one: 1.5 microseconds each while all is cached, up to a thousand times \
         that from disk. Short stretches are felt by nobody; long ones stop the table. When all ids are used, a write \
         never ends. The server's log says nothing before a million look-ups in one write.\n\n\
         A dead value holds its id until a vacuum has taken it. Another database's values move the counter too, but each \
         TOAST relation, and so each partition, has an id space of its own."
    XID_WRAPAROUND "LIM-010"
        "the transaction ids of a database run short"
        "`corridor check --only wraparound --long` names the tables that hold it back, who holds them, and the way out."
        "Each transaction that writes takes an id; ids go round after 4.29 billion, and the oldest one that a database \
         still needs to know may be no further behind than half of that. Three million before it, the server refuses every \
         statement that needs a new id, in all databases of the cluster, until a vacuum has frozen the oldest rows. Reads \
         go on; the application stops.\n\n\
         Freezing is what automatic vacuums do, from `autovacuum_freeze_max_age` on even where they are turned off. When \
         the age grows past it all the same, then something holds the horizon (a session, a prepared transaction, a \
         replication slot), or the vacuum is cancelled again and again, or it is too slow for the table. From \
         `vacuum_failsafe_age` on it runs without delay and leaves out the indexes."
    MULTIXACT_WRAPAROUND "LIM-011"
        "the MultiXact ids of a database run short"
        "`corridor check --only wraparound --long` names the tables that hold it back, who holds them, and the way out."
        "When several transactions lock one row at the same time, as foreign keys do, the row remembers a MultiXact id, which \
         stands for all of them. These ids go round as transaction ids do, and three million before the end the server \
         refuses what needs a new one: updates, row locks and checks of foreign keys fail, other statements do not.\n\n\
         A vacuum frees them, from `autovacuum_multixact_freeze_max_age` on by itself."
    MULTIXACT_MEMBERS "LIM-012"
        "the space of MultiXact members runs short"
        "Vacuum the tables with the oldest MultiXacts; `corridor check --only wraparound --long` names them."
        "Each MultiXact has a list of members, and the members of all lists share one space of 4.29 billion (to PostgreSQL \
         18). A row that many transactions lock one after the other takes a new, longer list each time, so that this \
         space can be full while the ids themselves look harmless. Then updates, row locks and checks of foreign keys fail.\n\n\
         From half of the space on, every vacuum freezes MultiXacts sooner than its settings say; from three quarters on, all \
         of them. What is in use is seen only in the files of `pg_multixact/members`, which a role must be allowed to list."
    HELD_BY_SESSION "LIM-013"
        "a session holds the horizon"
        "`corridor check --only horizon --long` names the session, and what ends it."
        "As long as a transaction is open that may look back at old rows, no vacuum takes away what died since, in any table \
         of its database, and none freezes what was written since. Tables and indexes grow, statements read more and more \
         dead rows, TOAST values keep their ids, and the age of the oldest transaction id grows. Building an index \
         concurrently, and the swap of a move, wait for it.\n\n\
         Most often it is a session that waits for its client inside of a transaction. \
         `idle_in_transaction_session_timeout` ends such sessions by itself."
    HELD_BY_PREPARED "LIM-014"
        "a prepared transaction holds the horizon"
        "Ask whoever manages it; then commit or roll it back by its name, in its database."
        "A transaction that was prepared (two-phase commit) stays open until somebody commits it or rolls it back by its name: \
         over the end of its session, and over restarts of the server. It keeps its locks, and it keeps every vacuum from \
         taking away rows that died since. A manager of transactions that lost its memory leaves them behind, and nobody \
         sees them: they are no session."
    HELD_BY_SLOT "LIM-015"
        "a replication slot holds the horizon"
        "`corridor check --only horizon,slots --long` says whether anybody uses it; drop a slot that nobody will use again."
        "A replication slot remembers what its consumer has not confirmed yet. One of logical decoding keeps old rows of the \
         catalogue, one of a standby with `hot_standby_feedback` old rows of all tables, in all databases; both keep the \
         WAL. A consumer that was switched off without dropping its slot does so for ever."
    HELD_BY_STANDBY "LIM-016"
        "a standby holds the horizon"
        "End the long statement on the standby, or turn off `hot_standby_feedback` there."
        "A standby with `hot_standby_feedback` tells the primary which rows its own statements still look at, so that they are \
         not cancelled. A statement that runs there for hours keeps the primary from taking away dead rows for as long."
    KEY_ENDS "LIM-017"
        "an integer key, or its sequence, nears its end"
        "`corridor check --only sequences --long` says where it ends and why there; a key of a large table is moved to bigint."
        "A column of type integer ends at 2,147,483,647, whatever its sequence can do; a sequence that was made as `serial` \
         ends there too. On that day every insert into the table fails, and a new type for the column means a copy of the \
         table. Values that were taken by inserts that failed or were rolled back are gone as well, and so are those that \
         sessions took in advance (`cache`), so that a key can be far ahead of its number of rows.\n\n\
         A sequence may feed a column that does not own it, or several; each of them ends for itself."
    KEY_NARROWER "LIM-018"
        "a foreign key is narrower than what it refers to"
        "Widen the column before the key that it refers to passes its end: `corridor move TABLE --to shape.sql`."
        "A column of type integer may refer to a bigint key. That works until the key passes 2,147,483,647: from then on \
         rows that refer to new keys cannot be stored. The key itself has room for ever, so that no watch over it says \
         anything."
    SLOT_KEEPS_WAL "LIM-019"
        "a replication slot keeps WAL"
        "`corridor check --only slots --long` says who uses it and for how long the disk lasts; drop it when nobody comes back."
        "The server removes no WAL that a replication slot still needs. A consumer that was switched off, or that does not \
         confirm, keeps all of it: to the end of the disk, where the server stops, or to `max_slot_wal_keep_size`, where \
         the slot is lost and its consumer must be made anew."
    REPLICA_LAGS "LIM-020"
        "a replica lags"
        "`select * from pg_stat_replication` on the primary says where: sent, written, flushed or replayed."
        "What the replica has not replayed, its readers do not see, and a failover to it loses or waits for. A move throttles \
         itself by the same figure. The usual reasons: a long statement on the replica that replay waits for, a slow disk, \
         or one large transaction."
    ARCHIVE_FAILS "LIM-021"
        "the WAL is not archived"
        "Mend the archive command or library; the server's log has its last words."
        "The server keeps every file of the WAL until it is archived. While that fails, `pg_wal` grows to the end of the disk, \
         and no backup can be restored to a point after the last file that was archived."
    CHECKPOINTS_FORCED "LIM-022"
        "checkpoints come before their time"
        "Raise `max_wal_size`."
        "When `max_wal_size` is reached before `checkpoint_timeout`, a checkpoint begins at once. After each one every page is \
         written to the WAL in full at its first change, so that more checkpoints make more WAL, which makes more checkpoints."
    TEMP_FILES "LIM-023"
        "statements write much to temporary files"
        "`pg_stat_statements` names them (`temp_blks_written`)."
        "A sort, a hash or a materialized result that does not fit into `work_mem` goes to the disk. It takes disk without \
         being seen in any table's size, and competes with everything else for it."
    CONNECTIONS_SHORT "LIM-024"
        "connections run short"
        "`corridor check --only slots --long` says whether they are idle, wait in a transaction, or work."
        "Each session takes one of `max_connections`, of which some are kept for superusers. When all are taken, clients are \
         refused, and so is the person who wants to look."
    DISK_SHORT "LIM-025"
        "the disk fills up"
        "`corridor check --only slots --long` says what fills it and for how long it lasts."
        "A full disk stops writes, and with a full `pg_wal` the server. PostgreSQL does not say how large its disk is: \
         `--disk-path` asks it on the server itself, `--disk-size` compares with the sizes of all databases and the WAL \
         (without logs, temporary files and what else is there). Keep room for maintenance: a repack or a move needs once \
         to twice the size of table and indexes."
    RELATION_SIZE "LIM-026"
        "a relation nears the largest size that it can have"
        "`corridor check --only size --long` says what grows, by how much, and the move that mends it."
        "Blocks of a relation have numbers of 32 bits: with blocks of 8 kB it ends at 32 TB. A table, its TOAST relation \
         and each index are relations of their own, and so is each partition with all of its. At the end every write that \
         needs a new page fails; nothing says so before.\n\n\
         A copy of so much takes days to weeks, and it needs as much disk again: it is warned of a year ahead. A `vacuum` \
         makes room inside of the file where rows are dead, and so buys time."
    COLUMNS_SHORT "LIM-027"
        "a table has used up most of its column numbers"
        "Write the table anew: `corridor move TABLE --same-shape`; the copy's columns are numbered from 1."
        "A table may have 1,600 columns, and one that was dropped counts for ever: its number is in the rows that were \
         written with it. A job that adds and drops a column each night uses them up in four years. Then \
         `alter table … add column` fails. `vacuum full` and `cluster` keep the numbers; a new table does not.\n\n\
         Each row has a bit for each column number up to its last one, also the dropped ones."
    TREE_LOCKS "LIM-028"
        "queries over all partitions of a table fill the table of locks"
        "Let the query name the partition key; else more room for locks, or fewer partitions."
        "A query that cannot leave partitions out at planning time locks every one of them and every index of each: \
         partitions times (1 + indexes). A session keeps the first locks for itself (16; from PostgreSQL 18 on as many as \
         `max_locks_per_transaction`); all others stand in one table that all sessions share, with room for \
         `max_locks_per_transaction * (max_connections + max_prepared_transactions)` objects and twice as many holders. \
         When it is full, any session of the cluster may fail with `out of shared memory`. The server has somewhat more \
         than the settings say: a reserve, and room for its own processes.\n\n\
         Prepared statements with a generic plan lock all of them too, and `pg_dump` locks every table at once."
    LOCKS_SHORT "LIM-029"
        "the table of locks runs full"
        "`corridor check --only size --long` names the session that holds most of it."
        "All sessions share one table of locks, sized at the start by `max_locks_per_transaction`, `max_connections` and \
         `max_prepared_transactions`. When it is full, the next statement that needs a lock fails with `out of shared \
         memory`, whosever it is."

    READ_AMPLIFICATION "LIM-040"
        "writes touch far more blocks than they should"
        "`corridor check --only amplification --long` names the statement or the table, what is usual, and the way out."
        "The write of a row touches a handful of blocks: its page, one path down each index. When it touches hundreds or \
         thousands, it searches: for a free TOAST id, over dead versions, through a table that refers to it without an \
         index, or through its own table from end to end. A row of 10 kB that reads 15 MB is how TOAST ids run short \
         before anybody says so.\n\n\
         The alarm: more than ten times its own median of seven days and more than 50 blocks for each row, or, without a \
         history, 1,000 blocks (8 MB) for each row. Writes get slow by the same factor as soon as the blocks are not in \
         the cache; then all that shares the disk does."
    HOT_UPDATES "LIM-041"
        "few updates of a table stay on their page"
        "Leave room on the pages (`fillfactor`), or take the column that is set out of its index."
        "An update is HOT when the new version finds room on its page and no index has a column that it changes: then no \
         index is written, and the old version goes away without a vacuum. Any other update writes to every index of the \
         table.\n\n\
         Nothing stops; indexes grow, autovacuum works more, and each update writes more WAL."
    HOT_COLUMNS "LIM-042"
        "narrow updates copy wide rows"
        "Move the columns that change often into a narrow table of their own, when WAL or bloat hurt."
        "An update copies its whole row, also when it sets one counter or time stamp; only values stored out of line are \
         not copied. The figure is the average width of the row over that of the columns that the statement sets, from \
         the planner's statistics and the statement's text; statements that are not simple are left out.\n\n\
         Nothing stops; WAL, replication and vacuum carry the difference."
    TABLE_BLOAT "LIM-043"
        "a table holds far more pages than its rows need"
        "`corridor check --only bloat --long` says the share with its error, and whether a vacuum or a repack is due."
        "Deleted rows and old versions of updated ones take their place until a vacuum makes it free, and free places \
         stay in the file until new rows take them. A table that was large once stays so.\n\n\
         The share is measured in random pages, with its standard error: the bytes of live rows against what a full page \
         holds. Known errors: before PostgreSQL 17, values that stand out of line are told by their size; the end of a page \
         that no further row fits into is taken as for rows of average size (2 % to 4 % where their sizes differ much). \
         Where pages may not be read, size for each row stands against the best that the history has seen.\n\n\
         Scans read pages that hold little, the cache holds less, backups and copies take longer."
    INDEX_BLOAT "LIM-044"
        "an index holds far more pages than its entries need"
        "Build it again beside itself: `reindex index concurrently`."
        "A page of a btree is given back only when it is empty; after deletes that leave one entry here and there, the \
         index keeps its size. A btree that is written at random is a quarter empty always: that is no bloat.\n\n\
         Known by, in this order: counting (`pgstatindex`, at most two indexes of at most 32 MB in a check), the best size \
         for each entry that the history has seen, the planner's statistics. The last one says nothing of indexes with \
         many equal entries, which a btree keeps once since PostgreSQL 13: there the usual formula shows less than nothing \
         where half is bloat.\n\n\
         It takes disk and cache; look-ups hardly slow down, scans of the index do."
    INDEX_INVALID "LIM-045"
        "an index is not valid"
        "Build it again (`reindex index concurrently`), or drop it when it is a left-over."
        "`create index concurrently` and `reindex index concurrently` leave an invalid index behind when they are ended or \
         fail, say at a duplicate value. No query uses it, writers maintain it all the same, and a unique one may hold \
         duplicates. An index of a partitioned table is invalid until every partition has its part.\n\n\
         The query that it was made for reads the whole table; nothing else says so."
    INDEX_DUPLICATE "LIM-046"
        "another index does all that this one does"
        "Drop the one that is named; the other one serves the same queries."
        "Two indexes with the same columns, operator classes, collations, order and predicate; or one whose columns are the \
         first ones of another. The one with a constraint, a replica identity or uniqueness stays.\n\n\
         Each write maintains both, both take cache. A prefix is smaller than what covers it, so that a query that reads \
         much of it may become a little slower."
    INDEX_UNUSED "LIM-047"
        "no query uses an index"
        "Look at the replicas and at what runs once a month; then drop it, and keep its definition."
        "Not one scan since the statistics began, at least seven days ago; unique ones and replica identities are left out, \
         because they serve without being scanned. Each server counts its own scans: a replica may use it. An index that \
         is younger than the statistics looks unused as well; the history of checks says for how long it was seen so.\n\n\
         Each insert and each update that is not HOT writes to it; it takes disk and cache."
    VACUUM_DUE "LIM-048"
        "a table is due for a vacuum and does not get it"
        "`corridor check --only vacuum --long` says since when, and whether it is off, held back, or waits for a worker."
        "Autovacuum comes when more rows are dead than 50 and a fifth of the table (or what the table's own settings say; \
         from PostgreSQL 18 on no more than 100 million), or when more were inserted than 1,000 and a fifth. Named are \
         tables with at least twice as many, and those that were due in every check for an hour.\n\n\
         A table that is vacuumed and stays due is held back: a session, a slot or a prepared transaction still sees its \
         dead rows.\n\n\
         Tables and indexes grow with dead rows, and reads pass over them."
    AUTOVACUUM_OFF "LIM-049"
        "autovacuum is off"
        "Switch it on again: `alter table … reset (autovacuum_enabled)`."
        "It was switched off for a load or a migration, and forgotten. The server then vacuums the table only when its \
         transaction ids run out: at a time that nobody chose, over everything that has gathered by then.\n\n\
         Dead rows gather, statistics grow old, plans with them."
    VACUUM_WORKERS "LIM-050"
        "the workers of autovacuum do not keep up"
        "Let them spend more (`autovacuum_vacuum_cost_limit`); more workers alone share the same budget."
        "All workers together spend at most `autovacuum_vacuum_cost_limit` in each `autovacuum_vacuum_cost_delay`: with 200 \
         and 2 ms that is 39 MiB of changed pages in a second, however many workers there are. The load is the price of \
         each table's vacuum (pages read, pages changed at worst, all indexes once), as often as autovacuum came, against \
         that budget; above 70 % the queue grows. It rests on the tables as they are now and is right within a factor \
         of two.\n\n\
         Small busy tables wait for hours behind large ones and grow by more than they hold."
    NEVER_ANALYZED "LIM-051"
        "a table was never analyzed"
        "`analyze` it; a partitioned table after each large change."
        "The planner knows nothing of its values. Autovacuum analyzes partitions, never the partitioned table as a whole: \
         joins and groups over all of it are planned by guesses.\n\n\
         Plans are wrong by orders of magnitude, and nobody sees why."
}
