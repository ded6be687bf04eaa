//! A foreign key without an index on its columns.

use crate::ir::{ActionKind, Constraint, ConstraintKind, Kind, Name, Span};
use crate::judge::{Hit, Look};

rule! {
    "LNT-204" "foreign-key-without-index" Hygiene Warning
    "a foreign key without an index on its columns"
    "Build one: otherwise a delete of the other table reads this one whole."
    "Each delete, or change of the key, in the table that is pointed to looks for rows here. Without an index that is a scan of all of them, each time.\n\n**The better way.** `create index concurrently` on the columns, before the constraint.\n\nIt fires, with `--hygiene`, on:\n\n```sql\ncreate table n (id bigint primary key, user_id bigint references users);\n```\n\nIt is off unless it is asked for."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let mut keys: Vec<(Name, Vec<String>, Span)> = Vec::new();
    match &look.statement.kind {
        Kind::CreateTable(table) => {
            for it in table.columns.iter().flat_map(|column| &column.constraints).chain(&table.constraints) {
                if let ConstraintKind::ForeignKey { columns, .. } = &it.kind {
                    keys.push((table.name.clone(), columns.clone(), it.span.clone()));
                }
            }
        }
        Kind::Alter { name, actions, .. } => {
            for action in actions {
                let constraints: Vec<&Constraint> = match &action.kind {
                    ActionKind::AddConstraint(constraint) => vec![constraint],
                    ActionKind::AddColumn { column, .. } => column.constraints.iter().collect(),
                    _ => continue,
                };
                for it in constraints {
                    if let ConstraintKind::ForeignKey { columns, .. } = &it.kind {
                        keys.push((name.clone(), columns.clone(), it.span.clone()));
                    }
                }
            }
        }
        _ => return,
    }
    for (table, columns, span) in keys {
        let covers = |of: &[String]| of.len() >= columns.len() && columns.iter().all(|column| of[..columns.len()].contains(column));
        let later = look.script.statements.iter().any(|other| matches!(&other.kind, Kind::CreateIndex(index) if index.table.is(&table) && covers(&index.columns)));
        let there = look.world.indexes.iter().any(|index| index.table.is(&table) && covers(&index.columns));
        let own_key = matches!(&look.statement.kind, Kind::CreateTable(made) if made.constraints.iter().chain(made.columns.iter().flat_map(|column| &column.constraints)).any(|it| matches!(&it.kind, ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } if covers(columns))));
        if !later && !there && !own_key {
            out.push(Hit { span, ..look.hit_whole(format!("no index on {table} ({})", columns.join(", ")), "`create index concurrently` on the columns.") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create table n (id int primary key, u int references r)",
            "alter table t add constraint f foreign key (a) references r not valid",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table n (id int primary key, u int references r); create index i on n (u)",
            "create table n (id int primary key references r)",
        ]);
    }
}
