// Runs before anything is drawn, so that the page does not flash in the other theme.
(function () {
  var root = document.documentElement;
  root.classList.add("has-js");
  var asked = new URLSearchParams(location.search).get("theme");
  var kept = null;
  try { kept = localStorage.getItem("theme"); } catch (e) { /* Storage may be forbidden. */ }
  var theme = asked || kept;
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
})();
