//! What a column is made from, understood by the server.

use corridor_pg::catalog::Column;
use corridor_pg::{Fault, FaultContext, Ident, Oid, QualifiedName, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::Transaction;

use super::{as_psql, pin_path};
use crate::fault::UNREADABLE_SHAPE;
use crate::shape::Assignment;

/// Where an expression comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nothing was said, and the other table has no column of that name.
    Nothing,
    /// The other table's column of that name, of the same type.
    Same,
    /// The other table's column of that name, of another type.
    Cast {
        /// That type.
        from: String,
    },
    /// `--set` or `--reverse-set`, as typed.
    Said(String),
}

/// What a column is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expression {
    /// The column that gets it.
    pub column: Ident,
    /// Where it comes from.
    pub origin: Origin,
    /// What the server says of it; none for [`Origin::Nothing`] and [`Origin::Same`].
    pub understood: Option<Understood>,
}

/// What the server says of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Understood {
    /// The expression over a row `s`, as the server writes it: every name is qualified.
    pub sql: String,
    /// The columns that it reads.
    pub reads: Vec<Ident>,
    /// Why it is more than a function of one row.
    pub obstacle: Option<String>,
    /// The server's words when a value of its type cannot be assigned to the column.
    pub unassignable: Option<String>,
    /// It depends on settings of the session, such as the time zone.
    pub is_of_settings: bool,
    /// It is the label of an enum's value.
    pub is_label: bool,
}

/// Between which tables.
pub(super) struct Place<'a> {
    /// Whose row is read.
    pub(super) from: &'a QualifiedName,
    pub(super) from_oid: Oid,
    /// What is assigned to: a temporary table.
    pub(super) into: &'a QualifiedName,
}

/// Asks what `column` of `place.into` is made from: what was said, or the column of its name.
pub(super) async fn ask(
    tx: &Transaction<'_>,
    place: &Place<'_>,
    column: &Column,
    twin: Option<&Column>,
    set: &[Assignment],
) -> Result<Expression> {
    let said = set.iter().find(|a| a.column == column.name);
    let (origin, text) = match (said, twin) {
        (Some(said), _) => (Origin::Said(said.expression.clone()), said.expression.clone()),
        (None, Some(twin)) if twin.type_sql == column.type_sql && !twin.is_generated() => {
            (Origin::Same, String::new())
        }
        (None, Some(twin)) => (
            Origin::Cast {
                from: twin.type_sql.clone(),
            },
            format!("s.{}", twin.name),
        ),
        (None, None) => (Origin::Nothing, String::new()),
    };
    let understood = match text.is_empty() {
        true => None,
        false => Some(understand(tx, place, column, twin.filter(|_| said.is_none()), &text).await?),
    };
    Ok(Expression {
        column: column.name.clone(),
        origin,
        understood,
    })
}

/// `cast`: the column that is cast without a word of the user.
async fn understand(
    tx: &Transaction<'_>,
    place: &Place<'_>,
    column: &Column,
    cast: Option<&Column>,
    text: &str,
) -> Result<Understood> {
    let from = place.from;
    // A line of its own: the text may end in a comment. The second item has no columns; with two, names are qualified.
    let select = format!("select (\n{text}\n) as corridor_value from {from} s, (select) corridor_none");
    let said = |fault: Fault| {
        let words = format!("{} = {text}: {}", column.name, fault.detail());
        match fault.sqlstate() {
            Some(_) => Fault::new(&UNREADABLE_SHAPE, words).caused_by(fault),
            None => fault,
        }
    };
    let first = in_view(tx, place, &select, true).await?.map_err(said)?;
    let assign = format!(
        "explain insert into {} ({}) overriding system value {select}",
        place.into, column.name
    );
    as_psql(tx).await?;
    let unassignable = attempt(tx, &assign)
        .await?
        .err()
        .map(|fault| fault.detail().to_owned());
    pin_path(tx).await?;
    let mut sql = first.sql;
    let mut is_of_settings = !first.stable.is_empty();
    let mut is_label = false;
    if unassignable.is_none() {
        // Without a length, which an explicit cast would cut to without a word; the assignment does not.
        sql = format!(
            "({sql})::{}",
            type_without_length(tx, column.base_type_oid).await?
        );
        let select = format!("select ({sql}) as corridor_value from {from} s, (select) corridor_none");
        let whole = in_view(tx, place, &select, false).await?.map_err(said)?;
        is_of_settings = !whole.stable.is_empty();
        sql = whole.sql;
        if let Some(cast) = cast.filter(|_| whole.is_by_text) {
            let form = text_form(tx, cast.base_type_oid, column.base_type_oid).await?;
            is_of_settings |= !form.is_steady;
            is_label = form.is_label;
        }
    }
    Ok(Understood {
        is_label,
        sql,
        reads: first.reads,
        obstacle: first.obstacle,
        unassignable,
        is_of_settings,
    })
}

/// What the catalogue says of a view's one column.
struct Seen {
    sql: String,
    reads: Vec<Ident>,
    stable: Vec<String>,
    is_by_text: bool,
    obstacle: Option<String>,
}

/// Makes the view, looks at it, and takes it away. The inner result is the server's answer to the words.
async fn in_view(
    tx: &Transaction<'_>,
    place: &Place<'_>,
    select: &str,
    is_as_psql: bool,
) -> Result<std::result::Result<Seen, Fault>> {
    let doing = || "reading an expression";
    tx.batch_execute("savepoint corridor_view").await.doing(doing)?;
    if is_as_psql {
        as_psql(tx).await?;
    }
    // The extended protocol: one statement, whatever stands in the text.
    let create = format!("create temporary view corridor_value as {select}");
    let seen = match tx.execute(&create, &[]).await.map_err(Fault::from) {
        Ok(_) => {
            pin_path(tx).await?;
            Ok(look(tx, place).await?)
        }
        Err(fault) => Err(fault),
    };
    tx.batch_execute("rollback to savepoint corridor_view; release savepoint corridor_view")
        .await
        .doing(doing)?;
    Ok(seen)
}

async fn look(tx: &Transaction<'_>, place: &Place<'_>) -> Result<Seen> {
    let doing = || "reading an expression";
    let view: u32 = tx
        .query_one("select 'pg_temp.corridor_value'::regclass::oid", &[])
        .await
        .doing(doing)?
        .get(0);
    let row = tx
        .query_one(
            include_str!("../../../sql/wanted/expression.sql"),
            &[&view, &place.from_oid.0],
        )
        .await
        .doing(doing)?;
    let definition: String = row.get("definition");
    let sql = definition.trim_start().strip_prefix("SELECT").and_then(|rest| {
        rest.rfind(" AS corridor_value")
            .map(|at| rest[..at].trim().to_owned())
    });
    let Some(sql) = sql else {
        return Err(Fault::new(
            &UNREADABLE_SHAPE,
            format!("the server wrote {definition}"),
        ));
    };
    let unsteady: Vec<String> = row.get("unsteady");
    let obstacle = if row.get("is_no_function_of_a_row") {
        Some("it has a subquery, an aggregate, a window function or gives several rows; it must be a function of one row".to_owned())
    } else if row.get("is_of_the_session") {
        Some("it depends on the clock or on who asks; write a constant".to_owned())
    } else if unsteady.is_empty() {
        None
    } else {
        Some(format!(
            "{}() gives another value each time; write a constant, or give the column a default",
            unsteady.join("(), ")
        ))
    };
    let reads: Vec<String> = row.get("reads");
    Ok(Seen {
        sql,
        reads: reads.into_iter().map(Ident::new).collect::<Result<_>>()?,
        stable: row.get("stable"),
        is_by_text: row.get("is_by_text"),
        obstacle,
    })
}

/// Runs a statement and takes back what it did. The inner result is the server's answer.
pub(super) async fn attempt(tx: &Transaction<'_>, sql: &str) -> Result<std::result::Result<(), Fault>> {
    let doing = || "asking the server whether a definition holds";
    tx.batch_execute("savepoint corridor_attempt")
        .await
        .doing(doing)?;
    let outcome = tx.execute(sql, &[]).await.map(drop).map_err(Fault::from);
    tx.batch_execute("rollback to savepoint corridor_attempt; release savepoint corridor_attempt")
        .await
        .doing(doing)?;
    match outcome {
        Err(fault) if fault.sqlstate().is_none() => Err(fault),
        answered => Ok(answered),
    }
}

/// How a value of one type becomes one of another by its text.
#[derive(Default)]
struct TextForm {
    is_steady: bool,
    is_label: bool,
}

async fn text_form(tx: &Transaction<'_>, from: Oid, to: Oid) -> Result<TextForm> {
    let row = tx
        .query_opt(
            include_str!("../../../sql/wanted/text_forms.sql"),
            &[&from.0, &to.0],
        )
        .await
        .doing(|| "asking about a cast")?;
    Ok(row.map_or_else(TextForm::default, |row| TextForm {
        is_steady: row.get("is_steady"),
        is_label: row.get("is_label"),
    }))
}

async fn type_without_length(tx: &Transaction<'_>, oid: Oid) -> Result<String> {
    let row = tx
        .query_one("select format_type($1::oid, -1)", &[&oid.0])
        .await
        .doing(|| "asking for a type's name")?;
    Ok(row.get(0))
}
