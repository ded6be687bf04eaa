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

pub use query::{Access, accesses};

/// Address space, of which only what is used is taken.
const STACK_BYTES: usize = 256 << 20;

/// Reads a file.
pub fn read(text: &str) -> Script {
    on_deep_stack(|| read_here(text))
}

/// Files for one thread, below which a second one costs more than it saves.
const FILES_PER_THREAD_MIN: usize = 16;

/// Reads many files, on as many deep stacks as there are processors.
pub fn read_all(texts: &[&str]) -> Vec<Script> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = texts.len().div_ceil(threads).max(FILES_PER_THREAD_MIN);
    std::thread::scope(|scope| {
        let parts: Vec<_> = texts
            .chunks(share)
            .map(|part| {
                scope.spawn(|| on_deep_stack(|| part.iter().map(|text| read_here(text)).collect::<Vec<_>>()))
            })
            .collect();
        let done = parts.into_iter().map(std::thread::ScopedJoinHandle::join);
        done.flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => std::panic::panic_any(format!("a thread to parse on: {error}")),
        }
    })
}

fn read_here(text: &str) -> Script {
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
