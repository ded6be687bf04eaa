//! The key that a backfill follows, and ranges of it as SQL. Keys travel as text and are cast back by the server.

use corridor_pg::ident::join;
use corridor_pg::{Fault, FaultContext, Ident, Literal, QualifiedName, Result, Session};

use crate::data::fault::NO_KEY;

/// A unique key whose columns are not null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) table: QualifiedName,
    columns: Vec<(Ident, String)>,
}

impl Key {
    /// Reads it. `MIG-142` when there is none.
    pub(super) async fn read(session: &mut Session, table: &str) -> Result<Key> {
        let tx = session.begin(corridor_pg::Isolation::ReadCommitted).await?;
        tx.batch_execute("set local search_path to default")
            .await
            .doing(|| format!("looking for {table}"))?;
        let rows = tx
            .query(include_str!("../../../sql/data/key.sql"), &[&table])
            .await
            .doing(|| format!("looking for the key of {table}"))?;
        let mut columns = Vec::new();
        for row in &rows {
            columns.push((
                Ident::new(row.get::<_, String>("column_name"))?,
                row.get("column_type"),
            ));
        }
        let Some(row) = rows.first() else {
            let found = tx
                .query_one("select to_regclass($1) is not null", &[&table])
                .await
                .doing(|| format!("looking for {table}"))?;
            return Err(match found.get(0) {
                true => Fault::new(&NO_KEY, table.to_owned()),
                false => Fault::new(&corridor_pg::fault::NO_SUCH_OBJECT, table.to_owned()),
            });
        };
        Ok(Key {
            table: QualifiedName::new(
                Ident::new(row.get::<_, String>("schema_name"))?,
                Ident::new(row.get::<_, String>("table_name"))?,
            ),
            columns,
        })
    }

    fn names(&self, alias: &str) -> String {
        join(
            self.columns.iter().map(|(name, _)| format!("{alias}.{name}")),
            ", ",
        )
    }

    fn literals(&self, key: &[String]) -> String {
        join(
            self.columns
                .iter()
                .zip(key)
                .map(|((_, column_type), text)| format!("{}::{column_type}", Literal(text))),
            ", ",
        )
    }

    /// A query for the last key of the next `rows` rows behind `after`, column by column as text; no row: nothing is left.
    /// `filter`: only rows that fit count, over `alias`.
    pub(super) fn last_of_next(
        &self,
        alias: &str,
        after: Option<&[String]>,
        filter: Option<&str>,
        rows: u64,
    ) -> String {
        let names = self.names(alias);
        let after = after.map(|key| format!("({names}) > ({})", self.literals(key)));
        let filter = filter.map(|filter| format!("({filter})"));
        let behind = match join(after.into_iter().chain(filter), " and ") {
            none if none.is_empty() => none,
            conditions => format!("where {conditions}"),
        };
        let order = join(
            self.columns.iter().map(|(name, _)| format!("{alias}.{name}")),
            ", ",
        );
        let back = join(
            self.columns.iter().map(|(name, _)| format!("q.{name} desc")),
            ", ",
        );
        let texts = join(
            self.columns.iter().map(|(name, _)| format!("q.{name}::text")),
            ", ",
        );
        format!(
            "select array[{texts}] from (select {names} from {table} {alias} {behind} order by {order} limit {rows}) q \
             order by {back} limit 1",
            table = self.table
        )
    }

    /// The condition for rows behind `after` up to and with `last`, over `alias`.
    pub(super) fn range(&self, alias: &str, after: Option<&[String]>, last: &[String]) -> String {
        let names = self.names(alias);
        let until = format!("({names}) <= ({})", self.literals(last));
        match after {
            Some(after) => format!("(({names}) > ({}) and {until})", self.literals(after)),
            None => format!("({until})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            table: QualifiedName::new(Ident::new("public").unwrap(), Ident::new("Event Log").unwrap()),
            columns: vec![
                (Ident::new("team_id").unwrap(), "bigint".to_owned()),
                (Ident::new("name").unwrap(), "character varying(10)".to_owned()),
            ],
        }
    }

    #[test]
    fn ranges_are_half_open_and_their_keys_are_literals() {
        let (after, last) = (
            ["7".to_owned(), "o'clock".to_owned()],
            ["9".to_owned(), "z".to_owned()],
        );
        assert_eq!(
            key().range("e", Some(&after), &last),
            "((e.team_id, e.name) > ('7'::bigint, 'o''clock'::character varying(10)) and \
             (e.team_id, e.name) <= ('9'::bigint, 'z'::character varying(10)))"
        );
        assert_eq!(
            key().range("e", None, &last),
            "((e.team_id, e.name) <= ('9'::bigint, 'z'::character varying(10)))"
        );
        assert!(
            key()
                .last_of_next("t", Some(&after), None, 500)
                .contains("from public.\"Event Log\" t where (t.team_id, t.name) > (")
        );
    }
}
