// What a page can do more with scripts than without: stay up to date, filter while one types, dialogs in place, keys.
// Nothing here decides anything; every page can be read and used without it.
(function () {
  "use strict";

  // --- Times in the reader's own zone -------------------------------------------------------------------------------
  var day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
  var clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  function times(root) {
    root.querySelectorAll("time[datetime]").forEach(function (one) {
      var at = new Date(one.getAttribute("datetime"));
      if (isNaN(at)) return;
      var isToday = at.toDateString() === new Date().toDateString();
      one.textContent = (isToday ? "" : day.format(at) + ", ") + clock.format(at);
      one.title = one.getAttribute("datetime");
    });
  }

  // --- Live updates: one stream for each page, closed while nobody looks ---------------------------------------------
  // Stands in for the extension's EventSource, so that the stream behind it can be closed and opened again. A browser
  // has six connections to a service for all of its tabs: a tab that is not seen must not keep one.
  var streams = [];
  function Stream(url) {
    this.url = url; this.listeners = []; this.inner = null; this.readyState = 0; this.isClosed = false;
    streams.push(this);
    if (!isPaused && !document.hidden) this.open();
  }
  Stream.prototype.open = function () {
    var self = this;
    if (this.inner || this.isClosed) return;
    var inner = new EventSource(this.url);
    this.inner = inner;
    inner.onopen = function (event) { self.readyState = 1; told("live"); if (self.onopen) self.onopen(event); };
    inner.onerror = function () {
      told("away");
      // The browser tries again by itself, unless the server said that there is nothing: then we do, later.
      if (inner.readyState === EventSource.CLOSED) {
        self.shut();
        setTimeout(function () { if (!isPaused && !document.hidden) self.open(); }, 5000);
      }
    };
    this.listeners.forEach(function (one) { inner.addEventListener(one[0], one[1]); });
  };
  Stream.prototype.shut = function () { if (this.inner) { this.inner.close(); this.inner = null; } };
  Stream.prototype.close = function () { this.isClosed = true; this.readyState = 2; this.shut(); };
  Stream.prototype.addEventListener = function (name, listener) {
    this.listeners.push([name, listener]);
    if (this.inner) this.inner.addEventListener(name, listener);
  };
  Stream.prototype.removeEventListener = function (name, listener) {
    this.listeners = this.listeners.filter(function (one) { return one[0] !== name || one[1] !== listener; });
    if (this.inner) this.inner.removeEventListener(name, listener);
  };
  htmx.createEventSource = function (url) { return new Stream(url); };

  var isPaused = false;
  var button = document.getElementById("pause");
  var words = document.getElementById("pause-words");
  function told(state) {
    if (!button || isPaused) return;
    button.dataset.state = state;
    words.textContent = state === "away" ? "no answer, trying again" : "live";
  }
  function pause() {
    if (!button) return;
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    if (isPaused) {
      streams.forEach(function (one) { one.shut(); });
      words.textContent = "paused since " + clock.format(new Date());
    } else {
      words.textContent = "live";
      streams.forEach(function (one) { one.open(); });
    }
  }
  if (button) button.addEventListener("click", pause);
  document.addEventListener("visibilitychange", function () {
    if (isPaused) return;
    streams.forEach(function (one) { if (document.hidden) one.shut(); else one.open(); });
  });
  addEventListener("pagehide", function () { streams.forEach(function (one) { one.shut(); }); });
  addEventListener("pageshow", function () { if (!isPaused) streams.forEach(function (one) { one.open(); }); });

  // A part that is written anew keeps the focus that was in it.
  var focused = null;
  document.addEventListener("htmx:sseBeforeMessage", function (event) {
    var active = document.activeElement;
    focused = active && active.id && event.target.contains(active) ? active.id : null;
  });
  document.addEventListener("htmx:sseMessage", function (event) {
    if (focused) {
      var again = document.getElementById(focused);
      if (again && document.activeElement !== again) again.focus({ preventScroll: true });
      focused = null;
    }
    fresh(event.target);
  });

  // --- Filter while one types ---------------------------------------------------------------------------------------
  function filter() {
    var input = document.querySelector("[data-filter]");
    if (!input) return;
    var wanted = input.value.trim().toLowerCase();
    var shown = 0;
    document.querySelectorAll(input.dataset.filter).forEach(function (one) {
      var fits = !wanted || one.textContent.toLowerCase().includes(wanted);
      one.hidden = !fits;
      if (fits) shown += 1;
    });
    var none = document.getElementById("none");
    if (none) none.hidden = shown > 0;
  }
  document.addEventListener("input", function (event) { if (event.target.matches("[data-filter]")) filter(); });
  document.addEventListener("submit", function (event) {
    if (event.target.querySelector("[data-filter]")) { event.preventDefault(); filter(); }
  });

  // A list that the server filters is asked for again when the fleet has changed.
  var again = null;
  function renew() {
    var results = document.querySelector("[data-again]");
    if (!results || again) return;
    again = setTimeout(function () {
      again = null;
      if (isPaused || document.hidden) return;
      if (document.activeElement && results.contains(document.activeElement)) return;
      htmx.ajax("GET", location.pathname + location.search, { target: "#results", select: "#results", swap: "outerHTML" });
    }, 1000);
  }

  // --- Dialogs ------------------------------------------------------------------------------------------------------
  var dialog = document.getElementById("dialog");
  var opener = null;
  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.target.id === "dialog-body" && !dialog.open) {
      opener = document.activeElement && document.activeElement.id;
      dialog.showModal();
      var first = dialog.querySelector("input:not([type=hidden]), textarea, select, button");
      if (first) first.focus();
    }
    fresh(event.target);
  });
  // What was refused is a page of its own, with its reasons.
  document.addEventListener("htmx:responseError", function (event) {
    var link = event.detail.elt;
    if (link && link.href) location.assign(link.href);
  });
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-close]") && dialog.open) { event.preventDefault(); dialog.close(); }
    else if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", function () {
    // Who opened it may have been written anew meanwhile; the browser gives the focus only to the same element.
    var again = opener && document.getElementById(opener);
    var active = document.activeElement;
    if (again && (active === document.body || dialog.contains(active))) again.focus({ preventScroll: true });
    document.getElementById("dialog-body").textContent = "";
    opener = null;
  });

  // --- Keys ---------------------------------------------------------------------------------------------------------
  var isGoing = 0;
  var pages = { f: "/", m: "/migrations", s: "/settings", a: "/audit" };
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select") || document.querySelector("dialog[open]")) return;
    if (Date.now() - isGoing < 1200 && pages[event.key]) { isGoing = 0; location.assign(pages[event.key]); return; }
    isGoing = 0;
    if (event.key === "g") isGoing = Date.now();
    else if (event.key === "p") pause();
    else if (event.key === "?") document.getElementById("keys").showModal();
    else if (event.key === "/") {
      var search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  });

  // --- Dark and light -----------------------------------------------------------------------------------------------
  var theme = document.getElementById("theme");
  if (theme) theme.addEventListener("click", function () {
    var root = document.documentElement;
    var isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (e) { /* Storage may be forbidden. */ }
    plots(true);
  });

  // --- Charts -------------------------------------------------------------------------------------------------------
  var drawn = {};
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function plot(id, title, stroke, data, anew) {
    var place = document.getElementById(id);
    if (!place) return;
    var known = drawn[id];
    if (known && !anew) { known.setData(data); return; }
    if (known) known.destroy();
    var soft = colour("--soft"), line = colour("--line");
    var axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    drawn[id] = new uPlot({
      title: title, width: place.parentElement.clientWidth, height: 170,
      axes: [axis, Object.assign({ size: 60 }, axis)],
      scales: { y: { range: function (u, low, high) { return [0, Math.max(high, 1) * 1.08]; } } },
      series: [{}, { label: title, stroke: stroke, fill: stroke + "22", width: 1.5, points: { show: false }, value: function (u, v) { return v == null ? "–" : v.toLocaleString(); } }]
    }, data, place);
  }
  function plots(anew) {
    var holder = document.querySelector("[data-plots]");
    var source = document.querySelector("[data-figures]");
    if (!holder || !source || typeof uPlot === "undefined") return;
    var figures;
    try { figures = JSON.parse(source.dataset.figures); } catch (e) { return; }
    // One point is no line.
    if (figures.at.length < 2) return;
    document.documentElement.classList.add("has-plots");
    plot("plot-rate", "Rows a second", colour("--work"), [figures.at, figures.rows_per_s], anew);
    if (figures.pending.some(function (one) { return one !== null; })) {
      plot("plot-pending", "Changes that wait", colour("--wait"), [figures.at, figures.pending], anew);
    }
  }
  var resized = null;
  addEventListener("resize", function () { clearTimeout(resized); resized = setTimeout(function () { plots(true); }, 150); });

  // --- What is new on the page --------------------------------------------------------------------------------------
  function fresh(root) {
    times(root);
    if (root.id === "fleet") filter();
    if (root.id === "chart") plots(false);
  }
  document.addEventListener("DOMContentLoaded", function () {
    times(document);
    // What was said of a request is said once: not again when the page is loaded anew.
    var here = new URL(location.href);
    if (here.searchParams.has("said")) {
      here.searchParams.delete("said");
      history.replaceState(null, "", here.pathname + here.search);
    }
    filter();
    plots(false);
    var live = document.getElementById("live");
    if (live && document.querySelector("[data-again]")) {
      // The extension has opened the page's stream by now.
      setTimeout(function () {
        var isFirst = true;
        streams.forEach(function (one) {
          one.addEventListener("fleet", function () { if (isFirst) { isFirst = false; return; } renew(); });
        });
      }, 0);
    }
  });
})();
