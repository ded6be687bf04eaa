//! The guide's pages on the rules of lint: what the binary says of each, and its example, tried with that binary.
//!
//! The example is in the rule's own text: the first block of SQL, with the block of TOML before it as the settings (of a
//! ClickHouse rule: as the description of the cluster). A first line `-- V7__orders.sql` names the file. A page is only
//! written when the example is found, and, where there is a block behind "Not found:", when that one is not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const HEADING: &str = "# Rules of lint";
/// Codes from here on are faults and have no example.
const FAULTS_FROM: u32 = 390;
const CLICKHOUSE: std::ops::Range<u32> = 300..400;

/// Writes the pages, or says which of them are not what the binary says.
pub(crate) fn run(is_check: bool) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary =
        std::env::var_os("CORRIDOR").map_or_else(|| root.join("target/debug/corridor"), PathBuf::from);
    let binary = std::path::absolute(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut pages = Vec::new();
    for rule in rules(&binary)? {
        pages.push((format!("{}.md", rule.code.to_lowercase()), rule.page(&binary)?));
    }
    if pages.is_empty() {
        return Err("the binary has no rules".to_owned());
    }
    let directory = root.join("docs/src/rules");
    let summary = root.join("docs/src/SUMMARY.md");
    let listed = list(&read(&summary)?, &pages);
    if is_check {
        let mut stale: Vec<String> = Vec::new();
        for (name, text) in &pages {
            if read(&directory.join(name)).ok().as_ref() != Some(text) {
                stale.push(name.clone());
            }
        }
        let known = |name: &str| pages.iter().any(|(page, _)| page == name);
        stale.extend(names(&directory).into_iter().filter(|name| !known(name)));
        if read(&summary)? != listed {
            stale.push("SUMMARY.md".to_owned());
        }
        return match stale.is_empty() {
            true => Ok(format!("{} pages on rules are up to date", pages.len())),
            false => Err(format!(
                "not what the binary says: {}; run script/codes",
                stale.join(", ")
            )),
        };
    }
    std::fs::remove_dir_all(&directory).ok();
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for (name, text) in &pages {
        write(&directory.join(name), text)?;
    }
    write(&summary, &listed)?;
    Ok(format!("{} pages on rules written", pages.len()))
}

/// What the binary says of a rule.
struct Rule {
    code: String,
    number: u32,
    title: String,
    hint: String,
    text: String,
}

fn rules(binary: &Path) -> Result<Vec<Rule>, String> {
    let told = Command::new(binary)
        .args(["explain", "--json"])
        .output()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let document: Value = serde_json::from_slice(&told.stdout).map_err(|error| error.to_string())?;
    let codes = document
        .get("codes")
        .and_then(Value::as_array)
        .ok_or("`explain --json` lists no codes")?;
    let mut rules = Vec::new();
    for one in codes {
        let text = |key: &str| {
            one.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let code = text("code");
        let number = code
            .strip_prefix("LNT-")
            .and_then(|number| number.parse().ok())
            .unwrap_or(u32::MAX);
        let is_fault = number >= 900 || (FAULTS_FROM..CLICKHOUSE.end).contains(&number);
        if !is_fault {
            rules.push(Rule {
                number,
                title: text("title"),
                hint: text("hint"),
                text: text("page"),
                code,
            });
        }
    }
    Ok(rules)
}

/// The first block of `language` in `text`, without its fences.
fn block<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}

impl Rule {
    fn is_clickhouse(&self) -> bool {
        CLICKHOUSE.contains(&self.number)
    }

    fn page(&self, binary: &Path) -> Result<String, String> {
        let code = &self.code;
        let sql = block(&self.text, "sql").ok_or_else(|| format!("{code}: no example"))?;
        let named = sql
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("-- "))
            .filter(|name| !name.contains(' ') && name.ends_with(".sql"));
        let file = named.unwrap_or("example.sql");
        let settings = block(&self.text, "toml").map(|toml| match self.is_clickhouse() {
            true => ("cluster.toml", toml),
            false => ("corridor-lint.toml", toml),
        });
        let is_found = |said: &str| said.contains(&format!("[{code}]"));
        let mut words = self.command(file, settings.is_some(), false);
        let mut found = self.lint(binary, &words, file, sql, settings)?;
        if !is_found(&found) {
            // One that is off unless it is asked for.
            words = self.command(file, settings.is_some(), true);
            found = self.lint(binary, &words, file, sql, settings)?;
        }
        if !is_found(&found) {
            return Err(format!("{code}: its example is not found:\n{found}"));
        }
        let counter = self
            .text
            .split_once("Not found:")
            .and_then(|(_, rest)| block(rest, "sql"));
        if let Some(sql) = counter {
            let said = self.lint(binary, &words, file, sql, settings)?;
            if is_found(&said) {
                return Err(format!("{code}: what should not be found is:\n{said}"));
            }
        }
        let mut page = format!("# {code}: {}\n\n", self.title);
        let _ = write!(
            page,
            "{}\n\n**What to do.** {}\n\n## Try it\n\n",
            self.text.trim_end(),
            self.hint
        );
        page.push_str("```sh\n");
        for (name, text) in std::iter::once((file, sql)).chain(settings) {
            let _ = write!(page, "cat > {name} <<'END'\n{}\nEND\n", text.trim_end());
        }
        let _ = write!(
            page,
            "corridor {}\n```\n\n```text\n{}\n```\n",
            words.join(" "),
            found.trim_end()
        );
        Ok(page)
    }

    fn command(&self, file: &str, has_settings: bool, is_hygiene: bool) -> Vec<String> {
        let mut words = vec!["lint"];
        if is_hygiene {
            words.push("--hygiene");
        }
        if self.is_clickhouse() {
            words.extend(["--dialect", "clickhouse"]);
            if has_settings {
                words.extend(["--cluster", "cluster.toml"]);
            }
        }
        words.push(file);
        words.into_iter().map(str::to_owned).collect()
    }

    /// What the binary says, as on a terminal of 80 columns.
    fn lint(
        &self,
        binary: &Path,
        words: &[String],
        file: &str,
        sql: &str,
        settings: Option<(&str, &str)>,
    ) -> Result<String, String> {
        let directory =
            std::env::temp_dir().join(format!("corridor-page-{}-{}", self.code, std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for (name, text) in std::iter::once((file, sql)).chain(settings) {
            // As `cat` writes it on the page.
            write(&directory.join(name), &format!("{}\n", text.trim_end()))?;
        }
        let ran = Command::new(binary)
            .args(words)
            .current_dir(&directory)
            .env("COLUMNS", "80")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output();
        std::fs::remove_dir_all(&directory).ok();
        let ran = ran.map_err(|error| format!("{}: {error}", binary.display()))?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        match ran.status.code() {
            Some(0 | 1) => Ok(said),
            _ => Err(format!("{}: {}", self.code, String::from_utf8_lossy(&ran.stderr))),
        }
    }
}

/// The table of contents with our lines under our heading, which goes before the runbooks when it is new.
fn list(summary: &str, pages: &[(String, String)]) -> String {
    let mut lines = String::new();
    for (name, text) in pages {
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        let _ = writeln!(lines, "- [{}](rules/{name})", title.replace(['[', ']'], ""));
    }
    let section = format!("{HEADING}\n\n{lines}\n");
    let (before, rest) = match summary.split_once(&format!("{HEADING}\n")) {
        Some((before, rest)) => (before, rest.find("\n# ").map_or("", |at| &rest[at + 1..])),
        None => summary.split_at(summary.find("# Runbooks").unwrap_or(summary.len())),
    };
    format!("{before}{section}{rest}")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{block, list};

    #[test]
    fn the_section_is_replaced_and_nothing_else() {
        let pages = [("lnt-001.md".to_owned(), "# LNT-001: a `b[1]`\n\nx".to_owned())];
        let first = list("# A\n\n- [x](x.md)\n\n# Runbooks\n\n- [r](r.md)\n", &pages);
        assert_eq!(
            first,
            "# A\n\n- [x](x.md)\n\n# Rules of lint\n\n- [LNT-001: a `b1`](rules/lnt-001.md)\n\n# Runbooks\n\n- [r](r.md)\n"
        );
        assert_eq!(list(&first, &pages), first);
        let second = [("lnt-002.md".to_owned(), "# LNT-002: c".to_owned())];
        assert!(list(&first, &second).contains("lnt-002") && !list(&first, &second).contains("lnt-001"));
    }

    #[test]
    fn blocks_are_found_by_their_language() {
        let text = "a\n```toml\nx = 1\n```\nb\n```sql\nselect 1;\n```\n";
        assert_eq!(block(text, "sql"), Some("select 1;\n"));
        assert_eq!(block(text, "toml"), Some("x = 1\n"));
        assert_eq!(block(text, "sh"), None);
    }
}
