//! The reader of lint beside the server's own grammar (`pg_query`), over every statement of the corpus.
//!
//! For each text: the same split into statements. For each statement: both read it or neither, the same kind of statement, the same
//! relations. What differs and stays so is listed in `known.tsv` with the reason; one that is listed and does not differ any more is
//! a fault too, so that the list stays true.

mod corpus;
mod ours;
mod theirs;

use std::collections::BTreeMap;
use std::process::ExitCode;

use corridor_lint::ir::Kind;
use corridor_lint::parse;
use pg_query::ParserOptions;

/// What begins the words of a statement that our parser refuses.
const UNREADABLE: &str = "it cannot be read: ";

#[derive(Default)]
struct Tally {
    texts: usize,
    statements: usize,
    refused: usize,
    /// Texts of statements, and how they differ.
    differences: BTreeMap<String, (String, String)>,
}

impl Tally {
    fn differ(&mut self, origin: &str, statement: &str, how: String) {
        self.differences
            .entry(one_line(statement))
            .or_insert_with(|| (origin.to_owned(), how));
    }

    fn text(&mut self, origin: &str, text: &str) {
        self.texts += 1;
        let script = parse::read(text);
        let mine: Vec<&str> = script
            .statements
            .iter()
            .map(|statement| &text[statement.span.clone()])
            .collect();
        // What only psql understands is cut out by us, and no SQL for the server.
        if !text.lines().any(|line| line.trim_start().starts_with('\\')) {
            let all: Vec<&str> = pg_query::split_with_parser(text)
                .unwrap_or_default()
                .into_iter()
                .filter_map(bare)
                .collect();
            if pg_query::parse(text, ParserOptions::default()).is_ok() && mine != all {
                let at = mine.iter().zip(&all).take_while(|(one, two)| one == two).count();
                let of = |list: &[&str]| list.get(at).map_or("nothing".to_owned(), |it| one_line(it));
                self.differ(
                    origin,
                    text,
                    format!("split: ours has {:?}, theirs {:?}", of(&mine), of(&all)),
                );
            }
        }
        for statement in mine {
            self.statement(origin, statement);
        }
    }

    fn statement(&mut self, origin: &str, text: &str) {
        self.statements += 1;
        let script = parse::read(text);
        let Some(mine) = script.statements.first().map(|statement| &statement.kind) else {
            return self.differ(origin, text, "ours finds no statement in it".to_owned());
        };
        let unread = match mine {
            Kind::NotEvaluated { why } => why.strip_prefix(UNREADABLE),
            _ => None,
        };
        match (unread, pg_query::parse(text, ParserOptions::default())) {
            (Some(_), Err(_)) => self.refused += 1,
            (Some(why), Ok(_)) => self.differ(origin, text, format!("only ours refuses it: {why}")),
            (None, Err(why)) => self.differ(origin, text, format!("only theirs refuses it: {why}")),
            (None, Ok(theirs)) => {
                let Some(node) = theirs::node(&theirs) else {
                    return self.differ(origin, text, "theirs finds no statement in it".to_owned());
                };
                let (one, two) = (ours::kind(mine), theirs::kind(node));
                if one != two {
                    return self.differ(origin, text, format!("kind: ours {one}, theirs {two}"));
                }
                let (one, two) = (ours::relations(mine), theirs::relations(node));
                if one != two {
                    return self.differ(origin, text, format!("relations: ours {one:?}, theirs {two:?}"));
                }
                if theirs::is_query(node) {
                    let (one, two) = (ours::accessed(text), theirs::accessed(&theirs));
                    if one != two {
                        self.differ(origin, text, format!("accesses: ours {one:?}, theirs {two:?}"));
                    }
                }
            }
        }
    }
}

/// A statement without the comments and spaces around it; `None` for nothing but those.
fn bare(text: &str) -> Option<&str> {
    let (pieces, _) = corridor_lint::script::cut(text);
    let (first, last) = (pieces.first()?, pieces.last()?);
    Some(&text[first.span.start..last.span.end])
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn main() -> ExitCode {
    let mut tally = Tally::default();
    for (origin, text) in corpus::all() {
        tally.text(&origin, &text);
    }
    let mut known: BTreeMap<&str, &str> = include_str!("../known.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let listed = known.len();
    let mut is_bad = tally.statements < 1_400;
    for (statement, (origin, how)) in &tally.differences {
        if known.remove(statement.as_str()).is_none() {
            println!("{origin}: {how}\n    {statement}");
            is_bad = true;
        }
    }
    for statement in known.keys() {
        println!("oracle/known.tsv: they agree on this by now, take it out\n    {statement}");
        is_bad = true;
    }
    println!(
        "{} texts, {} statements: {} refused by both, {} differ, {listed} of them known",
        tally.texts,
        tally.statements,
        tally.refused,
        tally.differences.len(),
    );
    if is_bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
