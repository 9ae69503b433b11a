// Keys and Connect: try a key from the browser, and put a typed key into the texts to copy. Typed keys go to /v1/models alone.
(() => {
  const result = document.querySelector("[data-test-result]");

  function tell(look, text) {
    result.hidden = false;
    result.className = `note sec-note ${look}`;
    result.querySelector("[data-ok]").hidden = look !== "ok";
    result.querySelector("[data-bad]").hidden = look !== "bad";
    result.querySelector("p").textContent = text;
  }

  const secretOf = (source) => (source.value ?? source.textContent).trim();

  function named(models, words) {
    if (!models.length) return words.none;
    const count = models.length === 1 ? words.model : words.many.replace("#", models.length);
    const more = models.length > 6 ? ", …" : "";
    return `${count} ${models.slice(0, 6).join(", ")}${more}`;
  }

  // The same address as this page: what is tested is the gateway that serves it. No cookie goes along.
  async function ask(key, words) {
    const answer = await fetch("/v1/models", {
      headers: { "x-api-key": key, "anthropic-version": "2023-06-01" },
      credentials: "omit",
      cache: "no-store",
    });
    const body = await answer.json();
    if (!answer.ok) return tell("bad", `${answer.status}: ${body.error.message}`);
    tell("ok", `${words.works} ${named(body.data.map((model) => model.id), words)}`);
  }

  for (const button of document.querySelectorAll("[data-test-key]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const words = button.dataset;
      const key = secretOf(document.querySelector(words.testKey));
      if (!key) return tell("bad", words.empty);
      button.disabled = true;
      tell("", words.asking);
      await ask(key, words).catch(() => tell("bad", words.unreachable));
      button.disabled = false;
    });
  }

  // Connect: the placeholder in the texts becomes the typed key, here and nowhere else.
  const own = document.querySelector("[data-own-key]");
  if (own) {
    const texts = [...document.querySelectorAll("pre[data-with-key]")].map((pre) => [pre, pre.textContent]);
    const fill = () => {
      const key = own.value.trim() || own.dataset.ownKey;
      for (const [pre, text] of texts) pre.textContent = text.replaceAll(own.dataset.ownKey, () => key);
    };
    own.closest("[data-needs-script]").hidden = false;
    own.addEventListener("input", fill);
    fill();
  }
})();
