// Keeps the Live page moving: one socket, one message a second, each with the parts of the page that changed. Sends nothing.
// Hidden pages hang up. A lost socket comes back by itself, ever more slowly; a person who was signed out is told so.
(() => {
  const head = document.querySelector("[data-live]");
  if (!head) return;
  const state = head.querySelector("[data-live-state]");
  const words = head.querySelector("[data-live-words]");
  const told = head.querySelector("[data-live-told]");
  const button = head.querySelector("[data-live-pause]");
  const labels = [button.textContent, button.dataset.resume];
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: new URL(head.dataset.live, location).searchParams.get("zone") || undefined, timeStyle: "medium" });
  const SIGNED_OUT = 4401, CHANGED = 4403, MANY = 4429, LATE_MS = 6000, HIDDEN_MS = 5000, LONGEST_MS = 30000;
  let socket = null, tries = 0, timer = 0, watch = 0, hiding = 0, paused = false, said = "";

  // "live 12:44:07"; what changed is said aloud, the passing of time is not.
  function say(word, look, at) {
    state.className = "state " + look;
    state.querySelector(".pulse").hidden = word !== "live";
    words.textContent = state.dataset[word] + (at ? " " + time.format(at) : "");
    if (word !== said && said) told.textContent = state.dataset[word];
    said = word;
  }

  function put(parts) {
    for (const [name, html] of Object.entries(parts)) {
      const place = document.querySelector(`[data-part="${name}"]`);
      if (!place) continue;
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      place.replaceChildren(fresh.content);
      if (focused) place.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      place.closest("figure[data-chart]")?.dispatchEvent(new Event("redraw"));
    }
  }

  function hear(event) {
    const message = JSON.parse(event.data);
    tries = 0;
    put(message.parts);
    say("live", "ok", message.at);
    clearTimeout(watch);
    watch = setTimeout(() => say("late", "warn"), LATE_MS);
  }

  function hangUp() {
    clearTimeout(timer);
    clearTimeout(watch);
    const old = socket;
    socket = null;
    old?.close();
  }

  function open() {
    if (socket || paused || document.hidden) return;
    const address = new URL(head.dataset.live, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    say(tries ? "reconnecting" : "connecting", tries ? "warn" : "quiet");
    const mine = (socket = new WebSocket(address));
    mine.onmessage = (event) => mine === socket && hear(event);
    mine.onclose = (event) => mine === socket && lost(event.code);
  }

  async function lost(code) {
    hangUp();
    if (code === CHANGED) return location.reload();
    if (code === SIGNED_OUT) return say("out", "bad");
    if (code === MANY) tries = 5;
    // A door that stays shut says nothing of why; the page itself does.
    if (code === 1006 && tries > 1) {
      const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
      if (answer && (answer.type === "opaqueredirect" || answer.status === 403)) return say("out", "bad");
    }
    tries += 1;
    say(code === MANY ? "many" : "reconnecting", "warn");
    timer = setTimeout(open, Math.min(LONGEST_MS, 500 * 2 ** tries) * (0.5 + Math.random() / 2));
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = labels[Number(paused)];
    hangUp();
    tries = 0;
    if (paused) say("paused", "warn", Date.now());
    else open();
  });
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(hangUp, HIDDEN_MS);
    else open();
  });
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", open);
  open();
})();
