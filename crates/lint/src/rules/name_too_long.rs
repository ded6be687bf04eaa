//! A name that the server cuts.

use crate::ir::{ActionKind, Kind, Span};
use crate::judge::{Hit, Look};

rule! {
    "LNT-206" "name-too-long" Hygiene Warning
    "a name that the server cuts"
    "At most 63 bytes."
    "What is longer than 63 bytes is cut in silence, and two names can become one.\n\n**The better way.** A shorter name.\n\nIt fires, with `--hygiene`, on:\n\n```sql\ncreate index a_name_that_is_so_long_that_the_server_cuts_it_somewhere_near_its_end on t (a);\n```\n\nIt is off unless it is asked for."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let mut names: Vec<(String, Span)> = Vec::new();
    match &look.statement.kind {
        Kind::CreateTable(table) => {
            names.push((table.name.name.clone(), table.name.span.clone()));
            names.extend(table.columns.iter().map(|column| (column.name.clone(), column.span.clone())));
        }
        Kind::CreateIndex(index) => names.extend(index.name.iter().map(|name| (name.name.clone(), name.span.clone()))),
        Kind::Alter { actions, .. } => {
            for action in actions {
                match &action.kind {
                    ActionKind::AddColumn { column, .. } => names.push((column.name.clone(), column.span.clone())),
                    ActionKind::AddConstraint(it) => names.extend(it.name.iter().map(|name| (name.clone(), it.span.clone()))),
                    ActionKind::Rename { to } | ActionKind::RenameColumn { to, .. } => names.push((to.clone(), action.span.clone())),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    for (name, span) in names.into_iter().filter(|(name, _)| name.len() > 63) {
        out.push(Hit { span, ..look.hit_whole(format!("{} bytes: {name}", name.len()), "At most 63 bytes.") });
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create table aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (a int primary key)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (a int primary key)",
        ]);
    }
}
