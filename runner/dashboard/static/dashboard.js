// Puts what the server sends into the page's regions. Without it the page reloads itself.
"use strict";
(() => {
  const ANNOUNCE_MS = 30000; // between two sentences for screen readers
  const LATE_MS = 25000; // without a sign of life, the page says that it is old
  const RETRY_MS = 3000;
  const path = document.body.dataset.events;
  const live = document.getElementById("live");
  const text = document.getElementById("live-text");
  const announcement = document.getElementById("announcement");
  let source = null;
  let announcedAt = Date.now();
  let heardAt = Date.now();
  let last = text.textContent;

  function show(state, words) {
    live.className = "live " + state;
    text.textContent = words;
  }

  // What a viewer has opened, closed or focused stays so.
  function replace(region, html) {
    const open = new Map();
    for (const one of region.querySelectorAll("details[id]")) open.set(one.id, one.open);
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && (focused.id ? "#" + CSS.escape(focused.id)
      : focused.matches("details[id] > summary") ? "#" + CSS.escape(focused.parentElement.id) + " > summary"
      : focused.getAttribute("href") ? 'a[href="' + CSS.escape(focused.getAttribute("href")) + '"]' : null);
    region.innerHTML = html;
    for (const one of region.querySelectorAll("details[id]")) {
      if (open.has(one.id)) one.open = open.get(one.id);
    }
    const again = key && region.querySelector(key);
    if (again) again.focus({ preventScroll: true });
  }

  function heard(event) {
    const told = JSON.parse(event.data);
    heardAt = Date.now();
    last = "as of " + told.at;
    if (told.note) show("off", told.note); else show("on", "live, " + last);
    for (const [name, html] of Object.entries(told.regions || {})) {
      const region = document.querySelector('[data-region="' + name + '"]');
      if (region) replace(region, html);
      if (name === "announcement" && Date.now() - announcedAt > ANNOUNCE_MS) {
        announcement.textContent = html;
        announcedAt = Date.now();
      }
    }
  }

  function connect() {
    if (source || document.hidden) return;
    source = new EventSource(path);
    source.onmessage = heard;
    source.addEventListener("beat", heard);
    source.onerror = () => {
      show("off", "not connected, " + last);
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(connect, RETRY_MS);
      }
    };
  }

  function leave() {
    if (source) source.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : connect()));
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", connect);
  setInterval(() => {
    if (Date.now() - heardAt > LATE_MS && !document.hidden) show("off", "not connected, " + last);
  }, LATE_MS);
  connect();
})();
