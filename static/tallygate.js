// Small conveniences; every page works without them.
(() => {
  // Copy buttons: <button data-copy="#id" data-done="Copied">
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || !navigator.clipboard) return;
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    const label = button.querySelector("span");
    const before = label.textContent;
    label.textContent = button.dataset.done;
    setTimeout(() => (label.textContent = before), 2000);
  });

  // Filter forms: a choice applies at once; empty fields stay out of the address.
  for (const form of document.querySelectorAll("form[data-filter]")) {
    form.addEventListener("change", (event) => {
      if (event.target.matches("[data-now]")) form.requestSubmit();
    });
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
    });
    addEventListener("pageshow", () => [...form.elements].forEach((field) => (field.disabled = false)));
  }

  // The menu of small screens and the dialogs close by Escape; focus goes back to what opened them and stays within while they are open.
  const menu = document.querySelector(".top details");
  let opener = null;
  const dialog = () => document.querySelector(".dialog:target");
  const stops = (box) => [...box.querySelectorAll("a[href],button,input:not([type=hidden]),select,textarea")];
  const enter = () => {
    if (dialog()) stops(dialog())[0].focus();
    else {
      opener?.focus();
      opener = null;
    }
  };
  addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && document.getElementById(link.hash.slice(1))?.matches(".dialog")) opener = link;
  });
  addEventListener("hashchange", enter);
  if (dialog()) enter();
  addEventListener("keydown", (event) => {
    const box = dialog();
    if (event.key === "Escape" && menu?.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "Escape" && box) {
      location.hash = "";
      enter(); // hashchange comes a moment later, and the next key may come before it
    } else if (event.key === "Tab" && box) {
      const all = stops(box);
      const edge = event.shiftKey ? all[0] : all.at(-1);
      if (document.activeElement !== edge && box.contains(document.activeElement)) return;
      event.preventDefault();
      (event.shiftKey ? all.at(-1) : all[0]).focus();
    }
  });

  // First run: ask every few seconds whether the first request has come.
  const waiting = document.querySelector("[data-waiting]");
  if (waiting) {
    waiting.hidden = false;
    const look = async () => {
      const answer = await fetch(location.href).catch(() => null);
      if (answer?.ok && !(await answer.text()).includes("data-waiting")) location.reload();
      else setTimeout(look, 4000);
    };
    setTimeout(look, 4000);
  }
})();
