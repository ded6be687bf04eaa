//! The ways out of bloat.

use crate::fault::{INDEX_BLOAT, TABLE_BLOAT};
use crate::probe::words::shell_word;
use crate::tree::{Facts, Node, Question, Say, Tree, Way, no_command};

fn vacuum(facts: &Facts) -> Option<String> {
    Some(format!("vacuum (verbose) {}", facts.get_text("relation")?))
}

fn repack(facts: &Facts) -> Option<String> {
    Some(format!(
        "corridor move {} --same-shape --execute",
        shell_word(&facts.get_text("table")?)
    ))
}

fn rebuild(facts: &Facts) -> Option<String> {
    Some(format!("reindex index concurrently {}", facts.get_text("index")?))
}

fn rebuild_locked(facts: &Facts) -> Option<String> {
    Some(format!("reindex index {}", facts.get_text("index")?))
}

/// Make the dead rows free.
pub static VACUUM: Way = Way {
    id: "vacuum",
    title: "Let go of what holds the horizon, then vacuum: dead rows become room for new ones",
    cost: "Reads the table and its indexes; blocks nobody. The file gets no smaller, save where its end is empty.",
    command: vacuum,
    verify: "Dead rows fall to nothing; the table stops growing.",
    go_back: "Nothing to go back to.",
    is_applicable: true,
};
/// Give the room back.
pub static REPACK: Way = Way {
    id: "repack",
    title: "Write the table anew, online: the disk gets the room back, and reads touch fewer pages",
    cost: "A copy of the table beside it, at the pace that the application allows; reversible until `finish`.",
    command: repack,
    verify: "`corridor check --only bloat` shows the share; `corridor status NAME` shows the proof of the copy.",
    go_back: "`corridor rollback NAME`, until `corridor finish NAME`.",
    is_applicable: false,
};
/// It will be used again.
pub static REUSE: Way = Way {
    id: "reuse",
    title: "Nothing: less than half is free, and new rows go there first",
    cost: "The disk that it takes, and reads of emptier pages.",
    command: no_command,
    verify: "The size of the table stays as it is while rows come.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// The catalogue.
pub static CATALOGUE: Way = Way {
    id: "catalogue",
    title: "Stop what makes and drops tables all the time; then, in a window, `vacuum full` of this table of the catalogue",
    cost: "Exclusive: nobody can plan a statement while it runs, some seconds for each GB. A catalogue that grew once \
           costs little when it is no longer dead: leave it, unless it slows planning.",
    command: no_command,
    verify: "`corridor check --only bloat` does not name it any more.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};
/// Build the index again.
pub static REBUILD: Way = Way {
    id: "rebuild",
    title: "Build the index again beside itself",
    cost: "Two scans of the table and room for a second copy of the index; writers go on. It waits for old transactions.",
    command: rebuild,
    verify: "`corridor check --only bloat` does not name it any more; no index ends with `_ccnew`.",
    go_back: "When it fails it leaves an index `…_ccnew` behind: `drop index concurrently` that one.",
    is_applicable: false,
};
/// With a lock.
pub static REBUILD_LOCKED: Way = Way {
    id: "rebuild-with-lock",
    title: "Build the index again in a quiet hour: this one cannot be built beside itself",
    cost: "Writers of the table wait for as long as it takes. (Exclusion constraints cannot be rebuilt concurrently; on \
           PostgreSQL 14.0 to 14.3 a concurrent rebuild can lose entries: update first.)",
    command: rebuild_locked,
    verify: "`corridor check --only bloat` does not name it any more.",
    go_back: "Nothing to go back to.",
    is_applicable: false,
};

static IS_DEAD: Question = Question {
    text: "Is at least a fifth of its rows dead?",
    figure: "dead rows",
    fact: "dead_share",
    at_least: 0.2,
    say: Say::Percent,
};
static IS_CATALOGUE: Question = Question {
    text: "Is it a table of the catalogue?",
    figure: "of the catalogue",
    fact: "is_catalogue",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_HALF: Question = Question {
    text: "Is at least half of it dead or free?",
    figure: "dead or free",
    fact: "bloat",
    at_least: 0.5,
    say: Say::Percent,
};
static IS_EXCLUSION: Question = Question {
    text: "Does the index belong to an exclusion constraint?",
    figure: "of an exclusion constraint",
    fact: "is_exclusion",
    at_least: 1.0,
    say: Say::YesNo,
};
static IS_FAULTY: Question = Question {
    text: "Is the server one of 14.0 to 14.3?",
    figure: "PostgreSQL 14.0 to 14.3",
    fact: "is_faulty_version",
    at_least: 1.0,
    say: Say::YesNo,
};

static TAKE_VACUUM: Node = Node::Take(&VACUUM);
static TAKE_REPACK: Node = Node::Take(&REPACK);
static TAKE_REUSE: Node = Node::Take(&REUSE);
static TAKE_CATALOGUE: Node = Node::Take(&CATALOGUE);
static TAKE_REBUILD: Node = Node::Take(&REBUILD);
static TAKE_REBUILD_LOCKED: Node = Node::Take(&REBUILD_LOCKED);
static ASK_HALF: Node = Node::Ask {
    question: &IS_HALF,
    yes: &TAKE_REPACK,
    no: &TAKE_REUSE,
    unknown: &TAKE_REUSE,
};
static ASK_CATALOGUE: Node = Node::Ask {
    question: &IS_CATALOGUE,
    yes: &TAKE_CATALOGUE,
    no: &ASK_HALF,
    unknown: &ASK_HALF,
};

/// The tree of `LIM-043`.
pub static TABLE_TREE: Tree = Tree {
    code: &TABLE_BLOAT,
    symptoms: "\
- a table takes far more disk than its rows; scans of it read pages that hold little\n\
- it grew after a mass delete, a long transaction, or a time without vacuum",
    look: "`corridor check --only bloat --table SCHEMA.TABLE --long`; with the extension: \
`select * from pgstattuple_approx('SCHEMA.TABLE')`.",
    root: &Node::Ask {
        question: &IS_DEAD,
        yes: &TAKE_VACUUM,
        no: &ASK_CATALOGUE,
        unknown: &ASK_CATALOGUE,
    },
};
/// The tree of `LIM-044`.
pub static INDEX_TREE: Tree = Tree {
    code: &INDEX_BLOAT,
    symptoms: "\
- an index is larger than its table's rows explain, and takes the cache from others\n\
- it grew after mass deletes, or while a long transaction held the horizon",
    look: "With the extension: `select avg_leaf_density, empty_pages, deleted_pages from pgstatindex('SCHEMA.INDEX')`; 90 \
is fresh, 65 to 70 is what random inserts make of any btree.",
    root: &Node::Ask {
        question: &IS_EXCLUSION,
        yes: &TAKE_REBUILD_LOCKED,
        no: &Node::Ask {
            question: &IS_FAULTY,
            yes: &TAKE_REBUILD_LOCKED,
            no: &TAKE_REBUILD,
            unknown: &TAKE_REBUILD,
        },
        unknown: &TAKE_REBUILD_LOCKED,
    },
};
