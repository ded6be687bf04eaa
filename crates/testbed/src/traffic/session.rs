//! One connection of a client, as applications use them: prepared statements, or plain text.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::StatementMode;
use super::model::Statement;
use super::statements::Statements;
use super::template::Template;

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused it and said so: the statement, and the transaction that it was in, did nothing.
    Refused { sqlstate: String, message: String },
    /// The connection is gone, or an answer is overdue: what was under way may or may not have been done.
    Lost { message: String },
    /// The server answered, but not what the ledger knows.
    Wrong(String),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // FATAL ends the session at any instant, also between a commit and its answer.
            Some(db) if db.parsed_severity() == Some(Severity::Error) => Failure::Refused {
                sqlstate: db.code().code().to_owned(),
                message: db.message().to_owned(),
            },
            Some(db) => Failure::Lost {
                message: format!("{} ({})", db.message(), db.code().code()),
            },
            None => Failure::Lost {
                message: match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                },
            },
        }
    }
}

/// The server process behind a connection.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pid: i32,
    /// Process ids are used again; together with the start time they are not.
    started: String,
}

#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    mode: StatementMode,
    timeout: Duration,
    prepared: HashMap<Statement, tokio_postgres::Statement>,
    pub(crate) backend: Backend,
}

impl Session {
    pub(crate) async fn connect(
        url: &str,
        mode: StatementMode,
        timeout: Duration,
    ) -> Result<Session, Failure> {
        let work = async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            // Its error comes back from the client's next call too.
            tokio::spawn(async move { connection.await.ok() });
            // As plain text: a pooler may not let a statement be prepared.
            let messages = client
                .simple_query(
                    "select set_config('application_name', 'traffic', false), set_config('timezone', 'UTC', false), \
                     pid, backend_start::text from pg_stat_activity where pid = pg_backend_pid()",
                )
                .await?;
            let row = messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.get(2)?.parse().ok()?, row.get(3)?.to_owned())),
                _ => None,
            });
            let Some((pid, started)) = row else {
                return Err(Failure::Wrong(
                    "the server does not know this very session".to_owned(),
                ));
            };
            let backend = Backend { pid, started };
            Ok((client, backend))
        };
        let (client, backend) = within(timeout, work).await?;
        Ok(Session {
            client,
            mode,
            timeout,
            prepared: HashMap::new(),
            backend,
        })
    }

    /// Runs a statement without parameters.
    pub(crate) async fn command(&self, sql: &str) -> Result<(), Failure> {
        within(self.timeout, async { Ok(self.client.batch_execute(sql).await?) }).await
    }

    /// Runs a write; answers how many rows it touched.
    pub(crate) async fn write(
        &mut self,
        statements: &Statements,
        statement: Statement,
        values: &[Option<String>],
    ) -> Result<u64, Failure> {
        let timeout = self.timeout;
        let template = statements.get(statement);
        within(timeout, async {
            match self.mode {
                StatementMode::Prepared => {
                    let prepared = self.prepared(statement, template).await?;
                    Ok(self.client.execute(&prepared, &parameters(values)).await?)
                }
                StatementMode::Simple => {
                    let messages = self.client.simple_query(&template.with_values(values)).await?;
                    Ok(messages
                        .iter()
                        .find_map(|m| match m {
                            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
                            _ => None,
                        })
                        .unwrap_or(0))
                }
            }
        })
        .await
    }

    /// Reads at most one row, all columns as text.
    pub(crate) async fn read(
        &mut self,
        statements: &Statements,
        values: &[Option<String>],
    ) -> Result<Option<Vec<Option<String>>>, Failure> {
        let timeout = self.timeout;
        let template = statements.get(Statement::Read);
        within(timeout, async {
            match self.mode {
                StatementMode::Prepared => {
                    let prepared = self.prepared(Statement::Read, template).await?;
                    let row = self.client.query_opt(&prepared, &parameters(values)).await?;
                    Ok(row.map(|row| (0..row.len()).map(|i| row.get(i)).collect()))
                }
                StatementMode::Simple => {
                    let messages = self.client.simple_query(&template.with_values(values)).await?;
                    Ok(messages.iter().find_map(|m| match m {
                        SimpleQueryMessage::Row(row) => {
                            Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
                        }
                        _ => None,
                    }))
                }
            }
        })
        .await
    }

    async fn prepared(
        &mut self,
        statement: Statement,
        template: &Template,
    ) -> Result<tokio_postgres::Statement, Failure> {
        if let Some(prepared) = self.prepared.get(&statement) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(template.sql()).await?;
        self.prepared.insert(statement, prepared.clone());
        Ok(prepared)
    }

    /// Ends another session of ours if it still lives. True once it is gone: only then what it did is final, since a
    /// server process that lost its client may still commit.
    pub(crate) async fn put_to_rest(&self, backend: &Backend) -> Result<bool, Failure> {
        within(self.timeout, async {
            let rows = self
                .client
                .query(
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2",
                    &[&backend.pid, &backend.started],
                )
                .await?;
            Ok(rows.is_empty())
        })
        .await
    }
}

impl Session {
    /// Rolls a prepared transaction back, if there is one of that name. Only for when nobody can be at it any more.
    pub(crate) async fn roll_back_prepared(&self, name: &str) -> Result<(), Failure> {
        let is_there = within(self.timeout, async {
            let sql = "select exists (select from pg_prepared_xacts where gid = $1)";
            Ok(self.client.query_one(sql, &[&name]).await?.get(0))
        });
        match is_there.await? {
            true => self.command(&format!("rollback prepared '{name}'")).await,
            false => Ok(()),
        }
    }

    /// True when the table has no row.
    pub(crate) async fn is_empty(&self, table: &str) -> Result<bool, Failure> {
        within(self.timeout, async {
            let sql = format!("select not exists (select from {table})");
            Ok(self.client.query_one(&sql, &[]).await?.get(0))
        })
        .await
    }
}

fn parameters(values: &[Option<String>]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|v| v as &(dyn ToSql + Sync)).collect()
}

async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Lost {
            message: format!("no answer within {} ms", timeout.as_millis()),
        }),
    }
}
