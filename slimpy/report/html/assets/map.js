// The maps of both images: side by side or one alone, kept in step, with a tooltip, zoom, keys, a
// trail of crumbs and a table of the same.

const MOST_ROWS = 14;
const GAP = 18; // pixels between the maps
const NARROW = 640; // pixels of both, below which one stands above the other

class Treemap {
  constructor(files, list) {
    this.files = files;
    this.list = list;
    this.group = "directory";
    this.side = "both";
    this.scale = "fill";
    this.trees = { directory: files.tree };
    this.node = 0;
    this.place = document.getElementById("treemap");
    this.note = document.getElementById("map-note");
    this.tip = make("div", "tip");
    this.tip.hidden = true;
    document.body.append(this.tip);
    this.charts = [];
    this.wording = { title: (node) => this.#title(node), about: (node) => this.#about(node) };
    this.#listen();
  }

  get sizes() {
    return (this.trees[this.group] ??= this.files.byPackage());
  }

  #listen() {
    for (const input of document.querySelectorAll("#map input[type=radio]")) {
      input.addEventListener("change", () => {
        this[input.name] = input.value;
        if (input.name === "group") this.node = 0;
        this.draw();
      });
    }
    document.getElementById("list-these").addEventListener("click", () => this.#listThese());
    const place = this.place;
    place.addEventListener("click", (event) => this.#choose(event));
    place.addEventListener("pointermove", (event) => this.#point(event));
    place.addEventListener("pointerleave", () => this.#forget());
    place.addEventListener("focusin", (event) => this.#focused(event));
    place.addEventListener("focusout", () => this.#forget());
    place.addEventListener("keydown", (event) => this.#key(event));
    let width = 0;
    new ResizeObserver(() => {
      if (place.clientWidth !== width) this.draw();
      width = place.clientWidth;
    }).observe(place);
  }

  go(node) {
    const at = Math.max(0, this.charts.findIndex((chart) => chart.svg.contains(document.activeElement)));
    this.node = node;
    this.draw();
    const chart = this.charts[at]?.cells.length ? this.charts[at] : this.charts.find((one) => one.cells.length);
    chart?.cells[0].focus({ preventScroll: true });
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width) return;
    const isBoth = this.side === "both";
    document.getElementById("scale").hidden = !isBoth;
    this.#forget();
    this.wording.packages = this.group === "package";
    this.charts = (isBoth ? ["before", "after"] : [this.side]).map((side) => new Chart(this.sizes, side, this.wording));
    this.place.classList.toggle("narrow", width < NARROW);
    this.place.replaceChildren(...this.charts.map((chart) => this.#panel(chart, width, isBoth)));
    this.#crumbs();
    this.#table();
    this.note.textContent = this.#about(this.node);
  }

  #panel(chart, whole, isBoth) {
    const isBeside = isBoth && whole >= NARROW;
    const width = isBeside ? Math.floor((whole - GAP) / 2) : whole;
    const height = Math.round(
      isBoth ? Math.min(480, Math.max(220, width * (isBeside ? 0.82 : 0.62))) : Math.min(560, Math.max(300, width * 0.52)),
    );
    const [before, after] = ["before", "after"].map((side) => this.sizes.value(this.node, side));
    const isSmaller = isBoth && chart.side === "after" && before > 0 && after > 0;
    const share = isSmaller && this.scale === "equal" ? after / before : 1;
    chart.svg = chart.draw(this.node, width, height, areaOf(width, height, share));
    const panel = make("figure", "panel");
    const caption = make("figcaption", "", chart.side === "after" ? "After " : "Before ");
    caption.append(make("b", "", sizeText(chart.side === "after" ? after : before)));
    if (isSmaller) caption.append(" ", make("small", "", this.#scaleText(before / after)));
    panel.append(caption, chart.svg);
    return panel;
  }

  #scaleText(factor) {
    if (this.scale === "equal") return "at the scale of before";
    if (factor < 1.05) return "at nearly the same scale";
    return `areas drawn ${factor < 10 ? factor.toFixed(1) : many(Math.round(factor))}× larger`;
  }

  #way(node) {
    const way = [];
    for (let at = node; at > 0; at = this.sizes.parents[at]) way.unshift(at);
    return way;
  }

  #title(node) {
    if (node === 0) return "the whole image";
    const names = this.#way(node).map((at) => this.sizes.names[at]);
    if (this.group === "directory") return `/${names.join("/")}`;
    return names.length > 1 ? `${names[0]}: /${names.slice(1).join("/")}` : names[0];
  }

  #about(node) {
    const { kept, gone, keptFiles, goneFiles } = this.sizes;
    const share = (100 * kept[node]) / (kept[node] + gone[node] || 1);
    return (
      `${this.#title(node)}: ${sizeText(kept[node])} kept in ${countOf(keptFiles[node])}, ` +
      `${sizeText(gone[node])} removed in ${countOf(goneFiles[node])} (${share.toFixed(1)} % kept)`
    );
  }

  #crumbs() {
    const nav = document.getElementById("crumbs");
    const steps = [0, ...this.#way(this.node)].map((node) => {
      const isLast = node === this.node;
      const text = node === 0 ? (this.group === "directory" ? "/" : "all packages") : this.sizes.names[node];
      const step = make(isLast ? "span" : "button", "crumb", text);
      if (isLast) step.setAttribute("aria-current", "location");
      else step.addEventListener("click", () => this.go(node));
      return step;
    });
    nav.replaceChildren(...steps);
  }

  #table() {
    document.getElementById("map-what").textContent =
      this.group === "package" && this.node === 0 ? "Package" : "Path";
    const items = this.sizes
      .children(this.node)
      .filter((node) => this.sizes.value(node, this.side) > 0)
      .sort((one, other) => this.sizes.value(other, this.side) - this.sizes.value(one, this.side));
    const rows = items.slice(0, MOST_ROWS).map((node) => this.#row(node));
    if (items.length > MOST_ROWS) {
      const row = make("tr");
      const cell = make("td", "muted", `and ${many(items.length - MOST_ROWS)} smaller ones`);
      cell.colSpan = 5;
      row.append(cell);
      rows.push(row);
    }
    document.querySelector("#map-table tbody").replaceChildren(...rows);
  }

  #row(node) {
    const { kept, gone, names } = this.sizes;
    const row = make("tr");
    const head = make("th", "path");
    head.scope = "row";
    if (this.sizes.children(node).length) {
      const button = make("button", "link", names[node]);
      button.addEventListener("click", () => this.go(node));
      head.append(button);
    } else head.textContent = names[node];
    const before = kept[node] + gone[node];
    const share = before ? (100 * kept[node]) / before : 0;
    const bar = shape("svg", { class: "bar", "aria-hidden": "true" });
    bar.append(
      shape("rect", { class: "removed", width: "100%", height: "100%" }),
      shape("rect", { class: "kept", width: `${share}%`, height: "100%" }),
    );
    const barred = make("td", "barred");
    barred.append(bar);
    row.append(
      head,
      make("td", "num", sizeText(before)),
      make("td", "num", sizeText(kept[node])),
      barred,
      make("td", "num", `${share.toFixed(1)} %`),
    );
    return row;
  }

  // The node that a box stands for; the many small ones of one box stand for what is around them.
  #nodeOf(cell) {
    const node = Number(cell.dataset.node ?? -1);
    if (node >= 0) return node;
    return Number(cell.parentNode.closest(".cell")?.dataset.node ?? this.node);
  }

  #choose(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    let node = this.#nodeOf(cell);
    while (!this.sizes.children(node).length) node = this.sizes.parents[node];
    if (node !== this.node) this.go(node);
  }

  // Marks what is pointed at in every map.
  #mark(cell) {
    const node = cell ? this.#nodeOf(cell) : 0;
    for (const chart of this.charts) chart.mark(chart.near(node, this.node));
  }

  #forget() {
    this.tip.hidden = true;
    for (const chart of this.charts) chart.mark(null);
  }

  #tell(cell, x, y) {
    this.#mark(cell);
    this.tip.hidden = !cell;
    if (!cell) return;
    this.tip.textContent = cell.dataset.text ?? this.#about(Number(cell.dataset.node));
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = Math.min(x + 14, document.documentElement.clientWidth - width - 8);
    const above = y + 18 + height > window.innerHeight;
    this.tip.style.left = `${Math.max(8, left)}px`;
    this.tip.style.top = `${above ? y - height - 12 : y + 18}px`;
  }

  #point(event) {
    if (event.pointerType === "touch") return;
    this.#tell(event.target.closest(".cell"), event.clientX, event.clientY);
  }

  #focused(event) {
    const cell = event.target.closest(".cell");
    if (!cell || !cell.matches(":focus-visible")) return;
    const box = cell.getBoundingClientRect();
    this.#tell(cell, box.left, box.top + Math.min(box.height, 60));
  }

  #key(event) {
    const cell = event.target.closest(".cell");
    const cells = this.charts.find((chart) => chart.cells.includes(cell))?.cells;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && cells) {
      const next = cells[(cells.indexOf(cell) + step + cells.length) % cells.length];
      cell.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") this.#choose(event);
    else if (event.key === "Escape" && this.node) this.go(this.sizes.parents[this.node]);
    else return;
    event.preventDefault();
  }

  #listThese() {
    const way = this.#way(this.node);
    if (this.group === "directory") this.list.narrow({ below: way.length ? this.#title(this.node) : "" });
    else {
      const below = way.length > 1 ? `/${way.slice(1).map((at) => this.sizes.names[at]).join("/")}` : "";
      this.list.narrow({ below, owner: way.length ? this.sizes.names[way[0]] : undefined });
    }
  }
}
