pub(crate) fn render(_v: &crate::access::Viewer, _a: &[crate::access::account::Account]) -> String {
    String::new()
}
