// The lists of files: searched, sorted, and drawn only where they can be seen.

const ROW = 34; // pixels
const TALLEST = 8e6; // browsers cannot scroll much further
const KINDS = { f: "file", d: "directory", l: "link", p: "pipe", s: "socket", c: "device", b: "device" };

class List {
  constructor(files) {
    this.files = files;
    this.which = "removed";
    this.words = [];
    this.rule = "";
    this.limits = {};
    this.sort = { key: "size", down: true };
    this.rows = [];
    this.active = 0;
    this.first = -1;
    this.grid = document.getElementById("grid");
    this.window = this.grid.querySelector(".window");
    this.body = this.grid.querySelector(".rows");
    this.found = document.getElementById("found");
    this.detail = document.getElementById("detail");
    this.narrowed = document.getElementById("narrowed");
    this.#listen();
    this.#rules();
    this.refresh();
  }

  #listen() {
    for (const input of document.querySelectorAll("input[name=which]")) {
      input.addEventListener("change", () => this.show(input.value));
    }
    const search = document.getElementById("search");
    search.addEventListener("input", () => {
      this.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.refresh();
    });
    document.getElementById("rule").addEventListener("change", (event) => {
      this.rule = event.target.value;
      this.refresh();
    });
    for (const button of this.grid.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.#sortBy(button.dataset.sort));
    }
    this.narrowed.querySelector("button").addEventListener("click", () => this.narrow({}));
    this.window.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()));
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("[role=row]");
      if (row) this.#activate(Number(row.dataset.at), true);
    });
    new ResizeObserver(() => this.draw(true)).observe(this.window);
  }

  #rules() {
    const used = new Set(this.files.kept.map((node) => this.files.firstRule[node]));
    const select = document.getElementById("rule");
    this.files.ruleNames.forEach((rule, number) => {
      if (used.has(number) || this.files.kept.some((node) => this.files.hasRule(node, rule))) {
        const option = make("option", "", rule);
        option.value = rule;
        select.append(option);
      }
    });
  }

  // Shows one of the two lists, as if its button had been chosen.
  show(which, rule = "") {
    this.which = which;
    this.rule = which === "kept" ? rule : "";
    document.querySelector(`input[name=which][value=${which}]`).checked = true;
    document.getElementById("rule").value = this.rule;
    this.refresh();
  }

  // Shows only what is below a directory or of a package, and goes there.
  narrow(limits) {
    this.limits = limits;
    const where = [limits.owner, limits.below && `below ${limits.below}`].filter(Boolean).join(", ");
    this.narrowed.hidden = !where;
    this.narrowed.querySelector("span").textContent = `Only ${where}.`;
    this.refresh();
    if (where) document.getElementById("files").scrollIntoView();
  }

  #sortBy(key) {
    const down = this.sort.key === key ? !this.sort.down : key === "size";
    this.sort = { key, down };
    this.refresh();
  }

  #keeps() {
    const { files, words, rule, which } = this;
    const { below, owner } = this.limits;
    const keys = words.length ? files.keys : null;
    const paths = below ? files.paths : null;
    const number = owner === undefined ? -1 : Math.max(0, files.packages.indexOf(owner));
    return (node) =>
      (!keys || words.every((word) => keys[node].includes(word))) &&
      (!paths || paths[node].startsWith(`${below}/`) || paths[node] === below) &&
      (number < 0 || files.owners[node] === number) &&
      (!rule || which !== "kept" || files.hasRule(node, rule));
  }

  #order() {
    const { files, sort } = this;
    const ranked = (texts) => {
      const rank = [];
      texts.map((_, at) => at).sort((one, other) => (texts[one] < texts[other] ? -1 : 1)).forEach((at, place) => (rank[at] = place));
      return rank;
    };
    const column = {
      path: () => (node) => node,
      size: () => (node) => files.sizes[node],
      rule: () => (node) => files.firstRule[node],
      package: () => ((rank) => (node) => rank[files.owners[node]])(ranked(files.packages)),
    }[sort.key]();
    const sign = sort.down ? -1 : 1;
    return (one, other) => sign * (column(one) - column(other)) || one - other;
  }

  refresh() {
    const { files, which } = this;
    document.getElementById("rule-choice").hidden = which !== "kept";
    this.grid.classList.toggle("of-kept", which === "kept");
    const all = files[which];
    this.rows = all.filter(this.#keeps()).sort(this.#order());
    const bytes = this.rows.reduce((sum, node) => sum + files.tree.kept[node] * (files.types[node] === "f") + files.tree.gone[node] * (files.types[node] === "f"), 0);
    const part = this.rows.length === all.length ? "" : ` of ${many(all.length)}`;
    this.found.textContent = `${many(this.rows.length)}${part} paths ${which}, ${sizeText(bytes)}`;
    for (const button of this.grid.querySelectorAll("[data-sort]")) {
      const isKey = button.dataset.sort === this.sort.key;
      const order = isKey ? (this.sort.down ? "descending" : "ascending") : "none";
      button.parentElement.setAttribute("aria-sort", order);
    }
    this.grid.setAttribute("aria-rowcount", this.rows.length + 1);
    this.body.style.height = `${Math.min(TALLEST, this.rows.length * ROW)}px`;
    this.window.scrollTop = 0;
    this.active = 0;
    this.detail.hidden = true;
    this.draw(true);
  }

  // Where the list is cut: the first row in sight. A very long list scrolls faster than its rows.
  #top() {
    const total = this.rows.length * ROW;
    const view = this.window.clientHeight;
    if (total <= TALLEST) return this.window.scrollTop / ROW;
    return ((this.window.scrollTop / (TALLEST - view)) * (total - view)) / ROW;
  }

  draw(always = false) {
    const top = this.#top();
    const first = Math.max(0, Math.floor(top) - 4);
    if (first === this.first && !always) return;
    this.first = first;
    const count = Math.ceil(this.window.clientHeight / ROW) + 9;
    const shift = this.window.scrollTop - top * ROW;
    const rows = this.rows.slice(first, first + count).map((node, at) => this.#row(node, first + at, shift));
    this.body.replaceChildren(...rows);
    const bar = this.window.offsetWidth - this.window.clientWidth;
    this.grid.querySelector(".heads").style.marginRight = `${bar}px`;
    this.#mark();
  }

  #row(node, at, shift) {
    const { files } = this;
    const row = make("div", "row");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", at + 2);
    row.dataset.at = at;
    row.id = `row-${at}`;
    row.style.transform = `translateY(${at * ROW + shift}px)`;
    const path = make("span", "path");
    const base = files.tree.names[node];
    path.append(make("span", "above", files.paths[node].slice(0, -base.length)), make("span", "base", base));
    if (files.types[node] !== "f") path.append(make("small", "", KINDS[files.types[node]] ?? "other"));
    if (files.states[node] === NAME_ONLY) path.append(make("small", "", "name only"));
    path.title = files.paths[node];
    const rule = files.ruleNames[files.firstRule[node]] ?? "";
    const more = this.which === "kept" ? files.why(node) : { found: [], more: 0 };
    const others = more.found.length + more.more - 1;
    const cells = [
      path,
      make("span", "owner", files.packages[files.owners[node]]),
      make("span", "why", others > 0 ? `${rule} +${others}` : rule),
      make("span", "num", files.types[node] === "f" ? sizeText(files.sizes[node]) : "–"),
    ];
    for (const cell of cells) cell.setAttribute("role", "gridcell");
    row.append(...cells);
    return row;
  }

  #mark() {
    for (const row of this.body.children) {
      const isActive = Number(row.dataset.at) === this.active;
      row.setAttribute("aria-selected", isActive);
      if (isActive) this.grid.setAttribute("aria-activedescendant", row.id);
    }
  }

  #activate(at, open) {
    if (!this.rows.length) return;
    this.active = Math.max(0, Math.min(this.rows.length - 1, at));
    const top = this.#top();
    const fits = Math.floor(this.window.clientHeight / ROW);
    if (this.active < top) this.#scrollTo(this.active);
    else if (this.active > top + fits - 1) this.#scrollTo(this.active - fits + 1);
    this.draw(true);
    if (open) this.#tell(this.rows[this.active]);
  }

  #scrollTo(row) {
    const total = this.rows.length * ROW;
    const view = this.window.clientHeight;
    const pixels = row * ROW;
    this.window.scrollTop = total <= TALLEST ? pixels : (pixels * (TALLEST - view)) / (total - view);
  }

  #key(event) {
    if (event.target !== this.grid) return;
    const page = Math.max(1, Math.floor(this.window.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#activate(this.active + steps[event.key], !this.detail.hidden);
    else if (event.key === "Enter" || event.key === " ") this.#activate(this.active, true);
    else if (event.key === "Escape") this.detail.hidden = true;
    else return;
    event.preventDefault();
  }

  #tell(node) {
    const { files } = this;
    const title = make("p", "path");
    title.append(make("b", "", files.paths[node]));
    const facts = [
      KINDS[files.types[node]] ?? "other",
      files.types[node] === "f" ? `${many(files.sizes[node])} bytes` : "",
      files.packages[files.owners[node]],
    ];
    const about = make("p", "muted", facts.filter(Boolean).join(", "));
    const parts = [title, about];
    if (files.states[node] === REMOVED) {
      parts.push(make("p", "", "Removed: the run did not use it, and nothing kept asks for it."));
    } else parts.push(...this.#reasons(node));
    this.detail.replaceChildren(...parts);
    this.detail.hidden = false;
  }

  #reasons(node) {
    const { files } = this;
    const { found, more } = files.why(node);
    const list = make("ul");
    for (const { rule, by, detail } of found) {
      const item = make("li");
      item.append(make("b", "", rule), ` ${files.rules.get(rule) ?? ""}`);
      const said = [by, detail].filter(Boolean).join(" – ");
      if (said) item.append(": ", make("span", "path muted", said));
      list.append(item);
    }
    if (more) list.append(make("li", "muted", `and ${many(more)} more, in kept-files.tsv`));
    const how = files.states[node] === NAME_ONLY ? "Kept by its name only, without contents:" : "Kept:";
    return [make("p", "", how), list];
  }
}
