//! A tree as the page that one reads at night: symptom, check, decide, act, verify, go back. Pure.

use std::fmt::Write as _;

use super::{Facts, Node, Tree, Way};

/// The drawing of a tree, as text: questions, and where the answers lead.
pub fn drawing(tree: &Tree) -> String {
    let mut out = String::new();
    draw(tree.root, "", &mut out, &mut Vec::new());
    out
}

/// `drawn`: what stands above already; it is not drawn twice.
fn draw(node: &'static Node, indent: &str, out: &mut String, drawn: &mut Vec<&'static Node>) {
    match node {
        Node::Take(way) => {
            let _ = writeln!(out, "{indent}=> {}", way.id);
        }
        Node::Ask {
            question,
            yes,
            no,
            unknown,
        } => {
            if drawn.iter().any(|above| std::ptr::eq(*above, node)) {
                let _ = writeln!(out, "{indent}{} (as above)", question.text);
                return;
            }
            drawn.push(node);
            let _ = writeln!(out, "{indent}{}", question.text);
            for (answer, next, is_last) in answers(yes, no, unknown) {
                let (branch, below) = if is_last {
                    ("└─", "   ")
                } else {
                    ("├─", "│  ")
                };
                match next {
                    Node::Take(way) => {
                        let _ = writeln!(out, "{indent}{branch} {answer} => {}", way.id);
                    }
                    Node::Ask { .. } => {
                        let _ = writeln!(out, "{indent}{branch} {answer}");
                        draw(next, &format!("{indent}{below}"), out, drawn);
                    }
                }
            }
        }
    }
}

/// The answers of a question; those that lead to the same place stand together.
fn answers(
    yes: &'static Node,
    no: &'static Node,
    unknown: &'static Node,
) -> Vec<(&'static str, &'static Node, bool)> {
    let same = |a: &'static Node, b: &'static Node| match (a, b) {
        (Node::Take(a), Node::Take(b)) => a.id == b.id,
        _ => std::ptr::eq(a, b),
    };
    if same(no, unknown) {
        vec![("yes", yes, false), ("no, or not known", no, true)]
    } else if same(yes, unknown) {
        vec![("yes, or not known", yes, false), ("no", no, true)]
    } else {
        vec![
            ("yes", yes, false),
            ("no", no, false),
            ("not known", unknown, true),
        ]
    }
}

/// The page, in Markdown. It names no database: commands have placeholders in capitals.
pub fn runbook(tree: &Tree) -> String {
    let code = tree.code;
    let mut out = format!("# {}: {}\n\n", code.id, code.title);
    let _ = write!(
        out,
        "## Symptom\n\n{}\n\n## Check\n\n{}\n\n## Decide\n\n```text\n{}```\n\n",
        tree.symptoms,
        tree.look,
        drawing(tree)
    );
    out.push_str("`corridor check --long` walks this tree with the figures of your database, and says which answers chose the way.\n\n");
    out.push_str("## Act\n\n");
    for way in tree.root.ways() {
        act(&mut out, code.id, way);
    }
    let _ = write!(out, "## Background\n\n{}\n", code.page);
    out
}

fn act(out: &mut String, code: &str, way: &Way) {
    let _ = write!(out, "### {}\n\n{}.\n\n", way.id, way.title);
    if let Some(command) = (way.command)(&Facts::placeholders()) {
        let language = if command.starts_with("corridor") {
            "sh"
        } else {
            "sql"
        };
        let _ = write!(out, "```{language}\n{command}\n```\n\n");
    }
    let _ = write!(
        out,
        "- **What it costs.** {}\n- **Verify.** {}\n- **Go back.** {}\n",
        way.cost, way.verify, way.go_back
    );
    if way.is_applicable {
        let _ = writeln!(
            out,
            "- `corridor check --apply {code} --way {}` plans it, and does it with `--execute`.",
            way.id
        );
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tree_makes_a_page_that_names_all_of_its_ways() {
        for tree in crate::check::trees() {
            let page = runbook(tree);
            for way in tree.root.ways() {
                assert!(
                    page.contains(&format!("### {}\n", way.id)),
                    "{}: {}",
                    tree.code.id,
                    way.id
                );
                assert!(drawing(tree).contains(&format!("=> {}\n", way.id)));
            }
            for part in ["## Symptom", "## Check", "## Decide", "## Act"] {
                assert!(page.contains(part), "{}", tree.code.id);
            }
        }
    }

    /// The pages once said `select pg_terminate_backend(64)`, and `--partitions 64`: a figure of nobody.
    #[test]
    fn a_command_on_a_page_names_what_has_to_be_filled_in() {
        for tree in crate::check::trees() {
            let page = runbook(tree);
            assert!(!page.contains("CODE"), "{}", tree.code.id);
            for way in tree.root.ways() {
                let command = (way.command)(&Facts::placeholders()).unwrap_or_default();
                assert!(!command.contains("64"), "{}: {command}", tree.code.id);
            }
        }
        let page = runbook(&crate::probe::toast::tree::TREE);
        assert!(page.contains("--partitions PARTITIONS"), "{page}");
        assert!(
            page.contains("`corridor check --apply LIM-001 --way vacuum`"),
            "{page}"
        );
    }

    #[test]
    fn the_tree_of_toast_ids_is_drawn() {
        insta::assert_snapshot!(drawing(&crate::probe::toast::tree::TREE), @r"
        Is at least a fifth of the stored chunks dead?
        ├─ yes => vacuum
        ├─ no
        │  Are at least 85 % of the ids used by live values?
        │  ├─ yes => move
        │  ├─ no
        │  │  Does the space last for at least 180 days more?
        │  │  ├─ yes, or not known
        │  │  │  Do writers search now, or will they within 30 days?
        │  │  │  ├─ yes
        │  │  │  │  Are at least half of the ids used by live values?
        │  │  │  │  ├─ yes => move
        │  │  │  │  └─ no, or not known
        │  │  │  │     Would a page take at least 80 % of the rows that are wide now?
        │  │  │  │     ├─ yes
        │  │  │  │     │  Is toast_tuple_target raised already?
        │  │  │  │     │  ├─ yes
        │  │  │  │     │  │  May this role move the counter (superuser)?
        │  │  │  │     │  │  ├─ yes => jump
        │  │  │  │     │  │  └─ no, or not known => move
        │  │  │  │     │  └─ no, or not known => inline
        │  │  │  │     └─ no, or not known
        │  │  │  │        May this role move the counter (superuser)? (as above)
        │  │  │  └─ no, or not known
        │  │  │     Are at least half of the ids used by live values?
        │  │  │     ├─ yes => fewer
        │  │  │     └─ no, or not known => watch
        │  │  └─ no => move
        │  └─ not known
        │     Do writers search now, or will they within 30 days? (as above)
        └─ not known
           Do writers search now, or will they within 30 days? (as above)
        ");
    }
}
