// Adds a search box for accounts to the header. Every page works without it; the list is loaded when the box is used.
(() => {
  const root = document.currentScript.dataset.root;
  const date = document.querySelector(".bar time");
  if (!date) return;
  const box = document.createElement("div");
  box.className = "find";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Find an account";
  input.setAttribute("aria-label", "Find an account by name");
  const list = document.createElement("ul");
  box.append(input, list);
  date.before(box);

  let accounts = null;
  window.accountIndex = (rows) => { accounts = rows; show(); };
  const load = () => {
    if (accounts) return;
    accounts = [];
    const script = document.createElement("script");
    script.src = root + "search.js";
    document.head.append(script);
  };
  const show = () => {
    const words = input.value.trim().toLowerCase();
    list.replaceChildren();
    if (!words) return;
    for (const [name, slug] of accounts.filter(([name]) => name.toLowerCase().includes(words)).slice(0, 12)) {
      const link = document.createElement("a");
      link.href = root + "account/" + slug + ".html";
      link.textContent = name;
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
  };
  input.addEventListener("focus", load, { once: true });
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; show(); }
    if (event.key === "Enter") { const first = list.querySelector("a"); if (first) first.click(); }
  });
})();
