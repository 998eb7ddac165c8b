// Keeps a page up to date, and leaves it alone while somebody does something on it. Works with htmx and its SSE
// extension; without any script each page works as well, and a live one is loaded anew every few seconds.
"use strict";
(() => {
  const AT_MOST_EVERY_MS = 2000;
  const SILENT_MS = 4000;
  const TOLD_MS = 8000;
  const body = document.body;
  const news = document.getElementById("news");
  const toggle = document.getElementById("live-toggle");
  // The server's clock may not be the browser's.
  const ahead = Number(body.dataset.now) * 1000 - Date.now();
  let on = body.dataset.live === "on";
  let source = null;
  let away = false;
  let opened = false;
  let stale = false;
  let fetched = 0;
  let timer = 0;
  let silent = 0;
  let quiet = 0;

  // ---- what is said to people: once when something changes, never at each tick

  function say(text, forMs) {
    clearTimeout(quiet);
    if (news.textContent !== text) news.textContent = text;
    if (forMs) quiet = setTimeout(() => say("", 0), forMs);
  }

  // ---- the live part of a page

  const live = () => document.getElementById("live");

  // Whether a swap would take something from under somebody's hands.
  function busy() {
    const part = live();
    if (document.querySelector("dialog[open]")) return true;
    if (part.querySelector("input[type=checkbox]:checked:not([data-kept])")) return true;
    const at = document.activeElement;
    if (at && part.contains(at) && at.matches("input:not([type=checkbox]):not([type=radio]), select, textarea")) return true;
    const selection = getSelection();
    if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return true;
    return [...part.querySelectorAll("details:not([id])")].some(one => one.dataset.touched);
  }

  function refetch() {
    if (!live() || !on || away || document.hidden) return;
    stale = true;
    clearTimeout(timer);
    timer = setTimeout(fetchNow, Math.max(0, fetched + AT_MOST_EVERY_MS - Date.now()));
  }

  function fetchNow() {
    if (!stale || !on || away || document.hidden || !live()) return;
    if (busy()) {
      timer = setTimeout(fetchNow, 500);
      return;
    }
    stale = false;
    fetched = Date.now();
    // The path alone: with its fragment htmx would scroll there each time.
    htmx.ajax("GET", location.pathname + location.search, { target: "#live", select: "#live", swap: "outerHTML" });
  }

  let kept = null;
  const label = one => [one.tagName, one.getAttribute("href"), one.getAttribute("aria-label"), one.name, one.value,
    one.textContent].join(" ");

  document.addEventListener("htmx:beforeSwap", event => {
    if (event.detail.target.id !== "live") return;
    if (event.detail.xhr.status === 200 && !event.detail.serverResponse.includes('id="live"')) {
      // Another page has come in its place: the sign-in, as the session is over.
      event.detail.shouldSwap = false;
      location.reload();
      return;
    }
    if (!on || busy()) {
      // Somebody has begun something while the answer was on its way.
      event.detail.shouldSwap = false;
      stale = true;
      timer = setTimeout(fetchNow, 500);
      return;
    }
    const part = live();
    const at = document.activeElement;
    kept = {
      focus: part.contains(at) ? label(at) : "",
      scrolls: [...part.querySelectorAll(".scroll, pre")].map(one => [one.scrollLeft, one.scrollTop]),
      open: new Map([...part.querySelectorAll("details[id]")].map(one => [one.id, one.open])),
    };
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (!kept || !live()) return;
    const part = live();
    part.querySelectorAll("details[id]").forEach(one => {
      if (kept.open.has(one.id)) one.open = kept.open.get(one.id);
    });
    part.querySelectorAll(".scroll, pre").forEach((one, index) => {
      if (kept.scrolls[index]) [one.scrollLeft, one.scrollTop] = kept.scrolls[index];
    });
    if (kept.focus) {
      const same = [...part.querySelectorAll("a, button, summary, input, [tabindex]")].find(one => label(one) === kept.focus);
      if (same) same.focus({ preventScroll: true });
    }
    kept = null;
    tick();
  });

  document.addEventListener("toggle", event => {
    if (event.target.matches("details")) event.target.dataset.touched = "yes";
  }, true);
  // Those that the page itself has opened report it after it was loaded, and nobody has touched them.
  addEventListener("load", () => setTimeout(() =>
    document.querySelectorAll("details[data-touched]").forEach(one => delete one.dataset.touched)));

  // ---- the stream of events

  // New counters take the place of the old ones, and with them the focus of whoever goes through them by keyboard.
  const counters = () => [...document.querySelectorAll("#counters a")];
  let counter = -1;
  document.addEventListener("htmx:sseBeforeMessage", () => { counter = counters().indexOf(document.activeElement); });
  document.addEventListener("htmx:sseMessage", () => {
    const same = counters()[counter];
    if (same) same.focus({ preventScroll: true });
  });

  // The numbers of a header's counters but for the last, an age, which is another in any case.
  const counted = html => (html.match(/<b>[^<]*/g) || []).slice(0, -1).join();

  htmx.createEventSource = url => {
    source = new EventSource(url);
    if (!on || document.hidden) {
      // The extension tries again by itself, also when nobody wants it any more.
      const unwanted = source;
      source = null;
      unwanted.close();
      return unwanted;
    }
    source.addEventListener("open", () => {
      clearTimeout(silent);
      silent = 0;
      if (!away) say("", 0);
      // What happened between two streams was told to neither.
      if (opened) refetch();
      opened = true;
    });
    source.addEventListener("error", () => {
      if (!silent && on) silent = setTimeout(() => say("This page no longer hears from the dashboard. It tries again; load it anew if that lasts.", 0), SILENT_MS);
    });
    source.addEventListener("changed", refetch);
    // Nor what happened between the page and its first stream; but the counters, which come at once, show it.
    source.addEventListener("counters", event => {
      if (counted(event.data) !== counted(document.getElementById("counters").innerHTML)) refetch();
    }, { once: true });
    source.addEventListener("gone", () => {
      away = true;
      say("Redis is away. What you see is how things were.", 0);
    });
    source.addEventListener("back", () => {
      if (body.dataset.problem) return location.reload();
      away = false;
      say("Redis is back.", TOLD_MS);
      refetch();
    });
    return source;
  };

  function listen() {
    const feed = document.getElementById("feed");
    if (source || !feed.dataset.events) return;
    feed.setAttribute("hx-ext", "sse");
    feed.setAttribute("sse-connect", feed.dataset.events);
    htmx.process(feed);
  }

  function stop() {
    if (!source) return;
    source.close();
    source = null;
    clearTimeout(silent);
    silent = 0;
    // A copy knows nothing of the stream that has ended.
    const feed = document.getElementById("feed");
    const copy = feed.cloneNode(true);
    copy.removeAttribute("sse-connect");
    feed.replaceWith(copy);
  }

  const follow = () => (on && !document.hidden ? listen() : stop());

  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) tick();
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", event => event.persisted && follow());

  if (toggle) {
    const show = () => {
      toggle.textContent = on ? "Pause" : "Go on";
      toggle.title = on ? "Have this page stand still" : "Keep this page up to date";
    };
    toggle.addEventListener("click", event => {
      event.preventDefault();
      on = !on;
      const url = new URL(location.href);
      if (on) url.searchParams.delete("live");
      else url.searchParams.set("live", "off");
      history.replaceState(null, "", url);
      show();
      follow();
      if (on) {
        tick();
        refetch();
      }
    });
    show();
  }

  // ---- "3 s ago" goes on by itself; the same words as in shown.py

  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  function rough(seconds) {
    const [size, unit] = UNITS.find(([one]) => seconds >= one) || [1, "s"];
    return `${Math.floor(seconds / size)}\u202f${unit}`;
  }

  function tick() {
    if (!on || away || document.hidden) return;
    const now = Date.now() + ahead;
    document.querySelectorAll("time[data-ago]").forEach(one => {
      const distance = (Date.parse(one.dateTime) - now) / 1000;
      const text = Math.abs(distance) < 1 ? "now" : distance > 0 ? `in ${rough(distance)}` : `${rough(-distance)} ago`;
      if (one.textContent !== text) one.textContent = text;
    });
  }

  setInterval(tick, 1000);

  // ---- small helps on forms

  document.addEventListener("change", event => {
    const one = event.target;
    // <input type="checkbox" data-all="id"> ticks all boxes called "id" of its form.
    if (one.dataset.all) {
      one.form.querySelectorAll(`input[type=checkbox][name="${one.dataset.all}"]`).forEach(box => { box.checked = one.checked; });
    }
  });
  document.addEventListener("submit", event => {
    // A second press of a button would do it twice.
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  document.querySelectorAll("[data-script]").forEach(one => { one.hidden = false; });

  // On a narrow screen the menu is wider than the window.
  const here = document.querySelector(".menu [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

  follow();
})();
