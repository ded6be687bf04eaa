//! The order of several migrations: each behind those that it depends on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use corridor_pg::{Fault, Result};

use super::Definition;
use super::fault::{BAD_DEPENDENCY, DEPENDENCY_CYCLE, SAME_NAME_TWICE};
use super::problem::suggestion;

/// Places of `definitions` in an order in which they can be stored and done: each behind those that it depends on, and else
/// as they were given.
///
/// `stored` are the names that the database has already; what is stored can be depended on, whatever its state. Refuses a
/// name that two have, a dependency that nobody has, and a circle, which it shows.
pub fn order(definitions: &[Definition], stored: &BTreeSet<String>) -> Result<Vec<usize>> {
    let mut places = BTreeMap::new();
    for (place, definition) in definitions.iter().enumerate() {
        if places.insert(definition.name.as_str(), place).is_some() {
            return Err(Fault::new(&SAME_NAME_TWICE, format!("`{}`", definition.name)));
        }
    }
    let mut waits_for: Vec<BTreeSet<usize>> = Vec::with_capacity(definitions.len());
    for definition in definitions {
        let mut own = BTreeSet::new();
        for name in &definition.depends_on {
            match places.get(name.as_str()) {
                Some(place) => {
                    own.insert(*place);
                }
                None if stored.contains(name) => {}
                None => {
                    let known = places.keys().copied().chain(stored.iter().map(String::as_str));
                    let near = suggestion(name, known.filter(|known| *known != definition.name));
                    let what = format!(
                        "`{}` depends on `{name}`, which nobody has{near}",
                        definition.name
                    );
                    return Err(Fault::new(&BAD_DEPENDENCY, what));
                }
            }
        }
        waits_for.push(own);
    }
    let mut left: Vec<usize> = (0..definitions.len()).collect();
    let mut ordered = Vec::with_capacity(left.len());
    let mut is_done = vec![false; definitions.len()];
    while !left.is_empty() {
        let is_ready = |place: &usize| waits_for[*place].iter().all(|other| is_done[*other]);
        let Some(next) = left.iter().position(is_ready) else {
            let circle: Vec<&str> = circle(&left, &waits_for)
                .into_iter()
                .map(|place| definitions[place].name.as_str())
                .collect();
            return Err(of_circle(&circle));
        };
        let place = left.remove(next);
        is_done[place] = true;
        ordered.push(place);
    }
    Ok(ordered)
}

/// Refuses a circle that one of `added` closes, together with what is stored.
///
/// `depends_on` says of each name, stored or added, what it waits for. A circle that was there before and that nobody touches
/// does not keep others from being added.
pub fn refuse_circle(added: &[&str], depends_on: &BTreeMap<String, Vec<String>>) -> Result<()> {
    for begin in added {
        // Who led to whom, breadth first: the circle that is shown is a shortest one.
        let mut led_by: BTreeMap<&str, &str> = BTreeMap::new();
        let mut next = VecDeque::from([*begin]);
        while let Some(at) = next.pop_front() {
            for name in depends_on.get(at).into_iter().flatten() {
                if name == begin {
                    let mut circle = vec![*begin, at];
                    // `begin` leads, and nobody led to it.
                    while let Some(before) = circle.last().and_then(|last| led_by.get(last)) {
                        circle.push(before);
                    }
                    circle.reverse();
                    return Err(of_circle(&circle));
                }
                if !led_by.contains_key(name.as_str()) {
                    led_by.insert(name, at);
                    next.push_back(name);
                }
            }
        }
    }
    Ok(())
}

fn of_circle(circle: &[&str]) -> Fault {
    let what = format!("{} (each depends on the next)", circle.join(" -> "));
    Fault::new(&DEPENDENCY_CYCLE, what)
}

/// A circle among `left`, each of which waits for another one of them; the first stands at the end again.
fn circle(left: &[usize], waits_for: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut path: Vec<usize> = left.first().copied().into_iter().collect();
    while let Some(last) = path.last() {
        let Some(next) = waits_for[*last].iter().find(|other| left.contains(other)) else {
            break;
        };
        let known = path.iter().position(|place| place == next);
        path.push(*next);
        if let Some(begin) = known {
            return path.split_off(begin);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn definition(name: &str, depends_on: &[&str]) -> Definition {
        let text =
            "description = \"x\"\n[[operations]]\nkind = \"check\"\nname = \"a\"\nquery = \"select true\"\n";
        let mut definition = crate::definition::file::read(&format!("{name}.toml"), text).unwrap();
        definition.depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
        definition
    }

    fn ordered(all: &[(&str, &[&str])], stored: &[&str]) -> String {
        let definitions: Vec<Definition> = all.iter().map(|(name, needs)| definition(name, needs)).collect();
        let stored = stored.iter().map(|name| (*name).to_owned()).collect();
        match order(&definitions, &stored) {
            Ok(order) => order
                .into_iter()
                .map(|place| definitions[place].name.clone())
                .collect::<Vec<_>>()
                .join(" "),
            Err(fault) => format!("{} {}", fault.code().id, fault.detail()),
        }
    }

    #[test]
    fn dependencies_come_first() {
        assert_eq!(ordered(&[("b", &["a"]), ("c", &[]), ("a", &[])], &[]), "c a b");
        assert_eq!(
            ordered(
                &[("d", &["b", "c"]), ("c", &["a"]), ("b", &["a"]), ("a", &[])],
                &[]
            ),
            "a c b d"
        );
        assert_eq!(ordered(&[("b", &["a"])], &["a"]), "b");
        assert_eq!(ordered(&[], &[]), "");
    }

    #[test]
    fn what_nobody_has_is_named() {
        assert_eq!(
            ordered(&[("fill", &["make_tabel"]), ("make_table", &[])], &[]),
            "MIG-116 `fill` depends on `make_tabel`, which nobody has; did you mean `make_table`?"
        );
        assert_eq!(
            ordered(&[("b", &["0001_strat"])], &["0001_start"]),
            "MIG-116 `b` depends on `0001_strat`, which nobody has; did you mean `0001_start`?"
        );
        assert_eq!(ordered(&[("a", &[]), ("a", &[])], &[]), "MIG-118 `a`");
    }

    #[test]
    fn a_circle_is_shown() {
        assert_eq!(
            ordered(&[("a", &["a"])], &[]),
            "MIG-117 a -> a (each depends on the next)"
        );
        assert_eq!(
            ordered(
                &[
                    ("z", &["a"]),
                    ("a", &["b"]),
                    ("b", &["c"]),
                    ("c", &["a"]),
                    ("d", &[])
                ],
                &[]
            ),
            "MIG-117 a -> b -> c -> a (each depends on the next)"
        );
    }

    fn refused(added: &[&str], all: &[(&str, &[&str])]) -> Option<String> {
        let depends_on = all
            .iter()
            .map(|(name, needs)| {
                let needs = needs.iter().map(|name| (*name).to_owned()).collect();
                ((*name).to_owned(), needs)
            })
            .collect();
        let fault = refuse_circle(added, &depends_on).err()?;
        Some(format!("{} {}", fault.code().id, fault.detail()))
    }

    #[test]
    fn a_circle_through_what_is_stored_is_shown() {
        let all: &[(&str, &[&str])] = &[
            ("a", &["c"]),
            ("b", &["a"]),
            ("c", &["d", "b"]),
            ("d", &[]),
            ("self", &["self"]),
            ("beside", &["a"]),
        ];
        let told = |circle: &str| Some(format!("MIG-117 {circle} (each depends on the next)"));
        assert_eq!(refused(&["a"], all), told("a -> c -> b -> a"));
        assert_eq!(refused(&["d", "b"], all), told("b -> a -> c -> b"));
        assert_eq!(refused(&["self"], all), told("self -> self"));
        // It waits for a circle, and closes none.
        assert_eq!(refused(&["beside", "d"], all), None);
    }

    proptest! {
        /// Whatever depends on whatever: an order in which each stands behind its own, or a circle that is one.
        #[test]
        fn an_order_or_a_circle(edges in proptest::collection::vec((0usize..8, 0usize..8), 0..16)) {
            let names: Vec<String> = (0..8).map(|i| format!("m{i}")).collect();
            let needs = |of: usize| -> Vec<&str> {
                edges.iter().filter(|(a, _)| *a == of).map(|(_, b)| names[*b].as_str()).collect()
            };
            let definitions: Vec<Definition> = (0..8).map(|i| definition(&names[i], &needs(i))).collect();
            match order(&definitions, &BTreeSet::new()) {
                Ok(order) => {
                    let depends_on = definitions.iter().map(|one| (one.name.clone(), one.depends_on.clone())).collect();
                    let all: Vec<&str> = names.iter().map(String::as_str).collect();
                    prop_assert!(refuse_circle(&all, &depends_on).is_ok());
                    prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 8);
                    let at = |place: usize| order.iter().position(|it| *it == place);
                    for (a, b) in &edges {
                        prop_assert!(at(*a) > at(*b), "{:?}", order);
                    }
                }
                Err(fault) => {
                    prop_assert_eq!(fault.code().id, "MIG-117");
                    let depends_on = definitions.iter().map(|one| (one.name.clone(), one.depends_on.clone())).collect();
                    let all: Vec<&str> = names.iter().map(String::as_str).collect();
                    let again = refuse_circle(&all, &depends_on).unwrap_err();
                    prop_assert_eq!(again.code().id, "MIG-117");
                    let circle: Vec<&str> = fault.detail().split(" (").next().unwrap().split(" -> ").collect();
                    prop_assert!(circle.len() > 1 && circle.first() == circle.last());
                    for pair in circle.windows(2) {
                        let of = names.iter().position(|name| name == pair[0]).unwrap();
                        prop_assert!(needs(of).contains(&pair[1]), "{:?}", circle);
                    }
                }
            }
        }
    }
}
