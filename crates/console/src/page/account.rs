pub(crate) fn render(
    _v: &crate::access::Viewer,
    _s: &[crate::access::account::SignIn],
    _t: &[crate::access::account::Token],
    _made: Option<(&str, &str)>,
) -> String {
    String::new()
}
