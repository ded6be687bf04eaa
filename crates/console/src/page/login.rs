pub(crate) fn render(_next: &str, _name: &str, _error: Option<&str>, _is_empty: bool) -> String {
    String::new()
}
