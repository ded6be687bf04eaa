use super::*;

/// Every kind of statement, in files as people write them: what one makes, another one changes; some go back.
fn files() -> Vec<(String, String)> {
    let cases: Vec<&str> = include_str!("../../facts/cases.sql")
        .split("\n-- case: ")
        .skip(1)
        .collect();
    let mut files = vec![(
        "before.sql".to_owned(),
        include_str!("../../facts/base.sql").to_owned(),
    )];
    for (at, some) in cases.chunks(2).enumerate() {
        let text: String = some.iter().map(|case| format!("-- {case}\n")).collect();
        let made = format!("create table made_{at} (id int primary key);\n");
        let changed = format!(
            "drop index if exists i; create index i on made_{} (id);\nalter table made_{at} add x int;\n",
            at / 2
        );
        let text = match at % 5 {
            0 => format!("{made}{text}{changed}"),
            1 => format!("begin;\n{made}{changed}rollback;\n{changed}{text}"),
            2 => format!("begin;\n{made}{text}{changed}commit;\n"),
            3 => format!("{changed}drop table made_{};\n{text}", at - 3),
            _ => format!("-- migrate:up\n{made}{text}\n-- migrate:down\ndrop table made_{at};\n{changed}"),
        };
        let name = match at % 11 {
            7 => format!("U{at}__a.sql"),
            3 => format!("V{at}__a.sql"),
            _ => format!("{at}.sql"),
        };
        files.push((name, text));
    }
    files
}

/// Where the files are cut for the threads must not be seen in what is said: the findings, their words and their order.
#[test]
fn many_threads_say_what_one_says() {
    let files = files();
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(path, text)| Source {
            path,
            text,
            config: None,
        })
        .collect();
    let settings = Settings {
        hygiene: true,
        ..Settings::default()
    };
    let on = |threads| {
        let texts: Vec<&str> = sources.iter().map(|source| source.text).collect();
        let scripts = crate::parse::read_all(&texts);
        let world = World::default();
        let findings = judge_on(threads, &sources, scripts, &settings, &world, None);
        serde_json::to_string_pretty(&findings).unwrap()
    };
    let one = on(1);
    assert!(one.len() > 100_000, "{}", one.len());
    for threads in [2, 3, 7] {
        assert!(on(threads) == one, "{threads} threads say something else");
    }
}
