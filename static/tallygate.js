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
