// Starts the page: what needs no data first, then the map and the lists.

function dress() {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = (value) => {
    try {
      if (value) localStorage.setItem("slimpy-theme", value);
      return localStorage.getItem("slimpy-theme");
    } catch {
      return null; // a page without storage forgets the choice
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const label = () => button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  const before = stored();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    label();
  });
  prefersDark.addEventListener("change", label);
  label();
}

function offerCopy() {
  const button = document.getElementById("copy");
  if (!button) return;
  const lines = document.getElementById("probe-these");
  const told = document.getElementById("copied");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(lines.textContent);
      told.textContent = "Copied.";
    } catch {
      window.getSelection().selectAllChildren(lines);
      told.textContent = "Selected; copy it with the keyboard.";
    }
  });
}

function linkRules(list) {
  for (const name of document.querySelectorAll("[data-rule]")) {
    const button = make("button", "link", name.dataset.rule);
    button.title = "Show the files it keeps";
    button.addEventListener("click", () => {
      list.show("kept", name.dataset.rule);
      document.getElementById("files").scrollIntoView();
    });
    name.replaceChildren(button);
  }
}

function openForPrint() {
  const opened = new Set();
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      opened.add(part);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
    opened.clear();
  });
}

async function start() {
  const root = document.documentElement;
  document.getElementById("theme").hidden = false;
  if (document.getElementById("copy")) document.getElementById("copy").hidden = false;
  dress();
  offerCopy();
  openForPrint();
  if (typeof DecompressionStream === "undefined") {
    const note = document.getElementById("trouble-note");
    note.textContent =
      "This browser cannot unfold the lists of files (it lacks DecompressionStream). They are in removed-files.tsv and kept-files.tsv, beside this page.";
    note.hidden = false;
    root.dataset.state = "partial";
    return;
  }
  const files = new Files(await unpacked(document.getElementById("data").textContent));
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
  const list = new List(files);
  new Treemap(files, list).draw();
  linkRules(list);
  performance.mark("ready");
  root.dataset.state = "ready";
}

start();
