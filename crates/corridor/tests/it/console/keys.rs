//! Keys alone.

use corridor_testbed::Key;

use super::visit::{PASSWORD, Visit};
use super::{PAGE, fill_desk};

impl Visit {
    /// What has the focus, in words.
    fn focused(&self) -> String {
        let script =
            "const one = document.activeElement; return one.id || one.name || one.textContent.trim()";
        let focused = self.browser.script(script).unwrap();
        focused.as_str().unwrap_or_default().to_owned()
    }

    /// Tabs on until something has the focus; all that has it on the way is seen to have it.
    #[track_caller]
    fn tab_to(&self, wanted: &str) {
        let mut way = Vec::new();
        for _ in 0..60 {
            self.press(&[Key::Tab]);
            let seen = "const one = document.activeElement, style = getComputedStyle(one);
                return one === document.body || (one.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)";
            let focused = self.focused();
            assert_eq!(
                self.browser.script(seen).unwrap(),
                true,
                "the focus is not seen on {focused:?}"
            );
            if focused == wanted {
                return;
            }
            way.push(focused);
        }
        panic!("{wanted:?} never has the focus: {way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_alone_are_enough() {
    let desk = fill_desk("console_keys").await;
    desk.account("otto", "operator").await;
    let service = desk.serve("").await;
    let visit = Visit::of(&service);
    visit.go("/");
    assert_eq!(visit.focused(), "name");
    visit.type_text("otto");
    visit.press(&[Key::Tab]);
    visit.type_text(PASSWORD);
    visit.press(&[Key::Enter]);
    visit.sees("h1", "Fleet");

    // The first stop leads past the navigation.
    visit.press(&[Key::Tab]);
    assert_eq!(visit.focused(), "Skip to the content");
    visit.press(&[Key::Enter]);
    assert_eq!(visit.focused(), "main");

    visit.press(&[Key::Char('/')]);
    assert_eq!(visit.focused(), "q");
    visit.type_text("no such cluster");
    visit.sees("#none", "No cluster fits");
    visit.go("/");
    visit.press(&[Key::Char('?')]);
    visit.sees("#keys", "stop and resume live updates");
    visit.press(&[Key::Escape]);
    visit.until("the keys are away", "!document.querySelector('dialog[open]')");

    visit.press(&[Key::Char('g'), Key::Char('m')]);
    visit.sees("h1", "Migrations");
    visit.go("/migrations?tab=needed");
    visit.tab_to("0001_fill");
    visit.press(&[Key::Enter]);
    visit.sees("h1", "0001_fill");
    visit.tab_to("do-Start");
    visit.press(&[Key::Enter]);
    visit.until(
        "the dialog is open",
        "document.querySelector('#dialog[open] form')",
    );
    assert_eq!(visit.focused(), "p.word");
    // The keys of the page mean nothing while one types. Meanwhile the buttons are written anew.
    visit.type_text("gmp/?");
    visit
        .browser
        .script("const all = document.getElementById('actions'); all.innerHTML = all.innerHTML; htmx.process(all)")
        .unwrap();
    visit.press(&[Key::Escape]);
    visit.until("the dialog is away", "!document.querySelector('dialog[open]')");
    visit.until(
        "who opened it has the focus again",
        "document.activeElement.id === 'do-Start'",
    );

    visit.press(&[Key::Enter]);
    visit.until(
        "the dialog is open",
        "document.querySelector('#dialog[open] form')",
    );
    visit.type_text("by hand");
    visit.tab_to("Start");
    visit.press(&[Key::BackTab, Key::Tab, Key::Enter]);
    visit.sees("#head .state-line", "running");
    assert_eq!(visit.path(), PAGE);
    desk.until("select count(*) = 1 from done").await;
    assert_eq!(desk.done().await, ["by hand"]);
    visit.is_content();
    service.stop().await;
}
