//! Decision trees as data: from facts to one recommended way.
//!
//! A tree asks questions of *facts*, figures by name. A question that no fact answers goes its own way (`unknown`).
//! Whoever walks it learns which answers chose the way, and which ways they ruled out. The pages of the guide are
//! drawn from the same data, so that they cannot say something else than the program does.

mod runbook;

use std::borrow::Cow;
use std::collections::BTreeMap;

use corridor_pg::Code;

use crate::finding::{Advice, Rejected};
pub use runbook::{drawing, runbook};

/// Figures by name. What could not be read is not in it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    numbers: BTreeMap<&'static str, f64>,
    texts: BTreeMap<&'static str, String>,
    is_placeholder: bool,
}

impl Facts {
    /// Sets a figure.
    pub fn number(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.numbers.insert(name, value);
        self
    }

    /// Sets a figure that may not be known.
    pub fn maybe(&mut self, name: &'static str, value: Option<f64>) -> &mut Self {
        if let Some(value) = value {
            self.numbers.insert(name, value);
        }
        self
    }

    /// Sets yes (1) or no (0).
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.number(name, f64::from(u8::from(value)))
    }

    /// Sets a text that commands are made with: a table's name.
    pub fn text(&mut self, name: &'static str, value: impl Into<String>) -> &mut Self {
        self.texts.insert(name, value.into());
        self
    }

    /// Facts of no database, for pages: every text is its own name in capitals, and so is every figure of a command.
    pub fn placeholders() -> Self {
        Facts {
            is_placeholder: true,
            ..Facts::default()
        }
    }

    /// A figure.
    pub fn get(&self, name: &str) -> Option<f64> {
        let known = self.numbers.get(name).copied();
        known.or(self.is_placeholder.then_some(64.0))
    }

    /// A figure as it stands in a command. On a page it is its own name: who copies a command there at night must not
    /// end the session of somebody whose number is an example's.
    pub fn get_whole(&self, name: &str) -> Option<Cow<'_, str>> {
        let known = self
            .numbers
            .get(name)
            .map(|figure| Cow::Owned(format!("{figure:.0}")));
        known.or_else(|| self.is_placeholder.then(|| Cow::Owned(name.to_uppercase())))
    }

    /// A text.
    pub fn get_text(&self, name: &str) -> Option<Cow<'_, str>> {
        let known = self.texts.get(name).map(|text| Cow::Borrowed(text.as_str()));
        known.or_else(|| self.is_placeholder.then(|| Cow::Owned(name.to_uppercase())))
    }
}

/// How a figure is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// `12.5 %`; the fact is a ratio.
    Percent,
    /// `1,234`.
    Number,
    /// `3.2 days`.
    Days,
    /// `1.5 GB`; the fact is in bytes.
    Bytes,
    /// `12 ms`; the fact is in milliseconds.
    Millis,
    /// Only yes or no.
    YesNo,
}

/// One question.
#[derive(Debug)]
pub struct Question {
    /// As a person would ask it: `is at least a fifth of the stored values dead?`
    pub text: &'static str,
    /// What the figure is called in an answer: `dead values`.
    pub figure: &'static str,
    /// The fact that it is asked of.
    pub fact: &'static str,
    /// *Yes* from here on.
    pub at_least: f64,
    /// How the figure is said.
    pub say: Say,
}

/// A place in the tree.
#[derive(Debug)]
pub enum Node {
    /// Asks, and goes on.
    Ask {
        /// What.
        question: &'static Question,
        /// Where to when it is so.
        yes: &'static Node,
        /// Where to when it is not.
        no: &'static Node,
        /// Where to when nobody knows.
        unknown: &'static Node,
    },
    /// The way.
    Take(&'static Way),
}

/// A way out.
#[derive(Debug)]
pub struct Way {
    /// Short, stable: `jump-counter`.
    pub id: &'static str,
    /// One sentence: what is done.
    pub title: &'static str,
    /// What it costs and for how long it holds, for the page.
    pub cost: &'static str,
    /// What to type, from the facts; `None` when a fact is missing or nothing is typed.
    pub command: fn(&Facts) -> Option<String>,
    /// How one sees that it worked.
    pub verify: &'static str,
    /// How one goes back.
    pub go_back: &'static str,
    /// `corridor check --apply` can do it.
    pub is_applicable: bool,
}

/// One limit's tree, and what its page says around it.
#[derive(Debug)]
pub struct Tree {
    /// The finding that it belongs to.
    pub code: &'static Code,
    /// What people see when it has come: symptoms, in Markdown, a list.
    pub symptoms: &'static str,
    /// What to look at by hand, in Markdown.
    pub look: &'static str,
    /// Where it begins.
    pub root: &'static Node,
}

/// A way that needs no typing.
pub fn no_command(_: &Facts) -> Option<String> {
    None
}

impl Question {
    /// The answer: whether it is so, and how that is said.
    pub fn answer(&self, facts: &Facts) -> Option<(bool, String)> {
        let value = facts.get(self.fact)?;
        let is_so = value >= self.at_least;
        let said = if self.say == Say::YesNo {
            format!("{}: {}", self.figure, if is_so { "yes" } else { "no" })
        } else {
            let relation = if is_so { "at least" } else { "less than" };
            format!(
                "{}: {}, {relation} {}",
                self.figure,
                say(value, self.say),
                say(self.at_least, self.say)
            )
        };
        Some((is_so, said))
    }
}

fn say(value: f64, how: Say) -> String {
    match how {
        Say::Percent if value != 0.0 && value.abs() < 0.001 => format!("{:.3} %", value * 100.0),
        Say::Percent => format!("{:.1} %", value * 100.0),
        Say::Number => crate::probe::words::grouped(value),
        Say::Days => format!("{value:.1} days"),
        Say::Bytes => crate::probe::words::bytes(value),
        Say::Millis => format!("{value:.0} ms"),
        Say::YesNo => String::new(),
    }
}

impl Node {
    /// All ways below, each once, in their order.
    pub fn ways(&self) -> Vec<&'static Way> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect(&self, all: &mut Vec<&'static Way>) {
        match self {
            Node::Take(way) => {
                if !all.iter().any(|known| known.id == way.id) {
                    all.push(way);
                }
            }
            Node::Ask { yes, no, unknown, .. } => {
                yes.collect(all);
                no.collect(all);
                unknown.collect(all);
            }
        }
    }
}

impl Tree {
    /// Walks it: one way, the answers that chose it, and the ways that an answer ruled out.
    pub fn walk(&self, facts: &Facts) -> Advice {
        let mut node = self.root;
        let mut because = Vec::new();
        let mut rejected: Vec<Rejected> = Vec::new();
        loop {
            match node {
                Node::Take(way) => {
                    rejected.retain(|r| r.way != way.id);
                    return Advice {
                        way: way.id,
                        title: way.title,
                        because,
                        command: (way.command)(facts),
                        is_applicable: way.is_applicable,
                        rejected,
                    };
                }
                Node::Ask {
                    question,
                    yes,
                    no,
                    unknown,
                } => {
                    let (next, said) = match question.answer(facts) {
                        Some((true, said)) => (*yes, said),
                        Some((false, said)) => (*no, said),
                        None => (*unknown, format!("{}: not known", question.figure)),
                    };
                    let ahead = next.ways();
                    for way in node.ways() {
                        let is_lost = !ahead.iter().any(|w| w.id == way.id);
                        if is_lost && !rejected.iter().any(|r| r.way == way.id) {
                            rejected.push(Rejected {
                                way: way.id,
                                why: said.clone(),
                            });
                        }
                    }
                    because.push(said);
                    node = next;
                }
            }
        }
    }
}
