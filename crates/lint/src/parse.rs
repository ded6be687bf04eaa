//! Text into statements: the one place that knows the parser.
//!
//! [`read`] cuts the file ([`script`]), parses each piece by itself, so that one unreadable statement costs
//! nothing but itself, and lowers it to the tree of [`ir`](crate::ir). The parser descends recursively; it runs on a
//! thread with a stack for the depth that [`script`] lets through.
//!
//! **Invariant:** no other module names `squawk_syntax`.

mod alter;
mod create;
mod lower;
mod node;
mod query;
mod statement;

use crate::ir::{Kind, Script, Statement};
use crate::script;
use crate::threads::{self, on_deep_stack};

pub use query::{Access, accesses};

/// Reads a file.
pub fn read(text: &str) -> Script {
    on_deep_stack(|| read_here(text))
}

/// Reads many files, on as many deep stacks as there are processors.
pub fn read_all(texts: &[&str]) -> Vec<Script> {
    threads::share(texts.len(), threads::processors(), |part| {
        texts[part].iter().map(|text| read_here(text)).collect()
    })
}

/// Where the statements of a file stand, and its comments; what they are is not looked at.
pub fn outline(text: &str) -> Script {
    let (pieces, comments) = script::cut(text);
    let outlined = |piece: script::Piece| Statement {
        span: piece.span,
        kind: Kind::Harmless("not looked at"),
    };
    Script {
        statements: pieces.into_iter().map(outlined).collect(),
        comments,
    }
}

/// Reads a file on this thread's stack, which must be as deep as those of [`threads::share`].
pub fn read_here(text: &str) -> Script {
    let (pieces, comments) = script::cut(text);
    let mut statements: Vec<Statement> = pieces
        .into_iter()
        .map(|piece| {
            let kind = match piece.unfit {
                Some(why) => Kind::NotEvaluated { why },
                None => lower::statement(&text[piece.span.clone()], piece.span.start),
            };
            Statement {
                span: piece.span,
                kind,
            }
        })
        .collect();
    resolve(&mut statements);
    Script { statements, comments }
}

/// Gives names the schema that a `set search_path` before them says.
fn resolve(statements: &mut [Statement]) {
    let mut schema: Option<String> = None;
    for statement in statements {
        if let Kind::SearchPath(path) = &statement.kind {
            schema = path.iter().find(|part| *part != "$user").cloned();
        } else if let Some(schema) = schema.as_ref().filter(|schema| *schema != "public") {
            statement.kind.each_name(&mut |name| {
                if name.schema.is_none() && !name.name.is_empty() {
                    name.schema = Some(schema.clone());
                }
            });
        }
    }
}

impl Kind {
    /// Every relation that the statement names.
    pub fn each_name(&mut self, work: &mut dyn FnMut(&mut crate::ir::Name)) {
        match self {
            Kind::Alter { name, .. }
            | Kind::CreateView { name, .. }
            | Kind::Reindex { name, .. }
            | Kind::Refresh { name, .. }
            | Kind::Insert { table: name, .. }
            | Kind::Update { table: name, .. }
            | Kind::Delete { table: name, .. }
            | Kind::Merge { table: name }
            | Kind::CreateTrigger { table: name, .. }
            | Kind::CreateRule { table: name }
            | Kind::CreatePolicy { table: name } => work(name),
            Kind::CreateTable(it) => {
                work(&mut it.name);
                it.partition_of.iter_mut().for_each(work);
            }
            Kind::CreateIndex(it) => work(&mut it.table),
            Kind::Drop { names, .. }
            | Kind::Truncate { tables: names, .. }
            | Kind::Lock { tables: names, .. } => names.iter_mut().for_each(work),
            _ => {}
        }
    }
}
