// Draws a treemap as SVG, with a tooltip, zoom, keys, a trail of crumbs and a table of the same.

const SVG = "http://www.w3.org/2000/svg";
const HEAD = 20; // pixels of a group's title
const DEEPEST = 3;
const MOST_ROWS = 14;

// Texts are measured before they are cut: a label must not leave its box.
const ruler = document.createElement("canvas").getContext("2d");

function widthOf(text, size, weight) {
  ruler.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

function fitting(text, room, size, weight) {
  if (widthOf(text, size, weight) <= room) return text;
  const letters = [...text.slice(0, 200)];
  let [least, most] = [0, letters.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (widthOf(`${letters.slice(0, middle).join("")}…`, size, weight) <= room) least = middle;
    else most = middle - 1;
  }
  return least > 1 ? `${letters.slice(0, least).join("")}…` : "";
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

class Treemap {
  constructor(files, list) {
    this.files = files;
    this.list = list;
    this.group = "directory";
    this.side = "before";
    this.trees = { directory: files.tree };
    this.node = 0;
    this.place = document.getElementById("treemap");
    this.note = document.getElementById("map-note");
    this.tip = make("div", "tip");
    this.tip.hidden = true;
    document.body.append(this.tip);
    this.cells = [];
    this.#listen();
  }

  get sizes() {
    return (this.trees[this.group] ??= this.files.byPackage());
  }

  #listen() {
    for (const input of document.querySelectorAll("input[name=side], input[name=group]")) {
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
    place.addEventListener("pointerleave", () => (this.tip.hidden = true));
    place.addEventListener("focusin", (event) => this.#focused(event));
    place.addEventListener("focusout", () => (this.tip.hidden = true));
    place.addEventListener("keydown", (event) => this.#key(event));
    let width = 0;
    new ResizeObserver(() => {
      if (place.clientWidth !== width) this.draw();
      width = place.clientWidth;
    }).observe(place);
  }

  go(node) {
    this.node = node;
    this.draw();
    this.cells[0]?.focus({ preventScroll: true });
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width) return;
    const height = Math.round(Math.min(560, Math.max(300, width * 0.52)));
    const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group" });
    svg.setAttribute("aria-label", `Map of ${this.#title(this.node)}, ${this.side}`);
    this.cells = [];
    this.tip.hidden = true;
    const sizes = this.sizes;
    if (sizes.value(this.node, this.side) > 0) this.#inside(svg, this.node, 0, 0, width, height, 0);
    this.place.replaceChildren(svg);
    this.cells[0]?.setAttribute("tabindex", "0");
    this.#crumbs();
    this.#table();
    this.note.textContent = this.#about(this.node);
  }

  #inside(parent, node, x, y, w, h, depth) {
    const items = shown(this.sizes, node, this.side, w * h);
    const boxes = squarified(items, x, y, w, h);
    boxes.forEach((box, number) => {
      const rest = items[number].rest;
      const cell = shape("g", { class: "cell" });
      if (depth === 0) {
        cell.setAttribute("tabindex", "-1");
        cell.setAttribute("role", "button");
        this.cells.push(cell);
      }
      parent.append(cell);
      if (rest) this.#rest(cell, box, rest);
      else this.#box(cell, box, depth);
    });
  }

  #box(cell, box, depth) {
    const isPackage = this.group === "package" && this.node === 0 && depth === 0;
    const alone = { node: box.node, name: this.sizes.names[box.node] };
    const { node, name } = isPackage ? alone : onlyChild(this.sizes, box.node);
    cell.dataset.node = node;
    if (depth === 0) cell.setAttribute("aria-label", this.#about(node));
    const isGroup = this.sizes.children(node).length > 0;
    if (isGroup && depth < DEEPEST && box.w > 70 && box.h > 56) {
      const frame = { x: box.x + 1, y: box.y + 1, width: box.w - 2, height: box.h - 2, rx: 3 };
      cell.append(shape("rect", { ...frame, class: `group depth${depth}` }));
      this.#label(cell, box.x + 7, box.y + 15, box.w - 14, name, "title", this.sizes.value(node, this.side));
      this.#inside(cell, node, box.x + 4, box.y + HEAD + 1, box.w - 8, box.h - HEAD - 5, depth + 1);
      return;
    }
    this.#leaf(cell, box, this.sizes.kept[node], this.side === "after" ? 0 : this.sizes.gone[node], name);
  }

  #rest(cell, box, rest) {
    const sum = (column) => rest.reduce((total, item) => total + column[item.node], 0);
    const kept = sum(this.sizes.kept);
    const gone = sum(this.sizes.gone);
    const text = `${many(rest.length)} smaller: ${sizeText(kept)} kept, ${sizeText(gone)} removed`;
    cell.dataset.text = text;
    if (cell.hasAttribute("role")) cell.setAttribute("aria-label", text);
    this.#leaf(cell, box, kept, this.side === "after" ? 0 : gone, `${many(rest.length)} smaller`);
  }

  // A box of two parts, kept and removed, cut across its longer side.
  #leaf(cell, box, kept, gone, name) {
    const gap = Math.min(0.75, box.w / 8, box.h / 8);
    const [x, y, w, h] = [box.x + gap, box.y + gap, box.w - 2 * gap, box.h - 2 * gap];
    const share = kept / (kept + gone);
    const wide = w >= h;
    const first = { x, y, w: wide ? w * share : w, h: wide ? h : h * share };
    const second = wide
      ? { x: x + first.w, y, w: w - first.w, h }
      : { x, y: y + first.h, w, h: h - first.h };
    const part = (area, kind) => {
      if (area.w < 0.05 || area.h < 0.05) return;
      cell.append(shape("rect", { class: kind, x: area.x, y: area.y, width: area.w, height: area.h }));
    };
    part(first, "kept");
    part(second, "removed");
    const [area, kind] = share >= 0.5 ? [first, "on-kept"] : [second, "on-removed"];
    if (area.h >= 17 && area.w >= 34) {
      const value = area.h >= 34 ? kept + gone : undefined;
      this.#label(cell, area.x + 5, area.y + 14, area.w - 10, name, kind, value, true);
    }
  }

  #label(cell, x, y, width, name, kind, value, below = false) {
    const size = value === undefined ? "" : sizeText(value);
    const weight = kind === "title" ? 600 : 400;
    const text = shape("text", { x, y, class: kind, "aria-hidden": "true" });
    text.textContent = fitting(name, width, 11.5, weight);
    cell.append(text);
    const needed = widthOf(size, 10.5, 400);
    const free = below ? width : width - widthOf(text.textContent, 11.5, weight) - 10;
    if (!size || needed > free) return;
    const at = below ? { x, y: y + 15 } : { x: x + width, y, "text-anchor": "end" };
    const figure = shape("text", { ...at, class: `${kind} figure-text`, "aria-hidden": "true" });
    figure.textContent = size;
    cell.append(figure);
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

  #choose(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    let node = Number(cell.dataset.node ?? -1);
    if (node < 0) node = Number(cell.parentNode.closest?.(".cell")?.dataset.node ?? this.node);
    while (!this.sizes.children(node).length) node = this.sizes.parents[node];
    if (node !== this.node) this.go(node);
  }

  #tell(cell, x, y) {
    if (!cell) {
      this.tip.hidden = true;
      return;
    }
    this.tip.textContent = cell.dataset.text ?? this.#about(Number(cell.dataset.node));
    this.tip.hidden = false;
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
    const at = this.cells.indexOf(event.target.closest(".cell"));
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      const next = this.cells[(at + step + this.cells.length) % this.cells.length];
      this.cells[at]?.setAttribute("tabindex", "-1");
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
