// Draws one treemap as SVG: boxes in boxes, each of two parts, kept and removed.

const SVG = "http://www.w3.org/2000/svg";
const HEAD = 20; // pixels of a group's title
const DEEPEST = 3;

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

// The whole box of a chart, and the part of it that the map fills: all, or as much as its bytes are
// of the other map's.
function areaOf(width, height, share = 1) {
  const side = Math.sqrt(share);
  return { x: 0, y: height * (1 - side), w: width * side, h: height * side };
}

class Chart {
  constructor(sizes, side, wording) {
    this.sizes = sizes;
    this.side = side;
    this.wording = wording;
    this.cells = []; // those that keys walk
    this.boxes = new Map(); // by node, all that are drawn
  }

  draw(node, width, height, area) {
    const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group" });
    svg.setAttribute("aria-label", `Map of ${this.wording.title(node)}, ${this.side}`);
    if (area.w < width) svg.append(shape("rect", { class: "whole", x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 3 }));
    const value = this.sizes.value(node, this.side);
    if (value > 0) this.#inside(svg, node, area.x, area.y, area.w, area.h, 0);
    else this.#nothing(svg, width, height);
    this.ring = shape("rect", { class: "ring", rx: 2, visibility: "hidden" });
    svg.append(this.ring);
    this.cells[0]?.setAttribute("tabindex", "0");
    return svg;
  }

  // The box of a node, else of the nearest directory around it that has one.
  near(node, root) {
    for (let at = node; at > 0 && at !== root; at = this.sizes.parents[at]) {
      if (this.boxes.has(at)) return this.boxes.get(at);
    }
    return null;
  }

  // Marks a box, or none.
  mark(box) {
    this.ring.setAttribute("visibility", box ? "visible" : "hidden");
    if (!box) return;
    const [w, h] = [Math.max(box.w, 4), Math.max(box.h, 4)];
    for (const [key, value] of Object.entries({ x: box.x + 1, y: box.y + 1, width: w - 2, height: h - 2 })) {
      this.ring.setAttribute(key, value);
    }
  }

  #nothing(svg, width, height) {
    const text = shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle", class: "nothing" });
    text.textContent = this.side === "after" ? "nothing of it ships" : "no bytes";
    svg.append(text);
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
    const isPackage = this.wording.packages && this.sizes.parents[box.node] === 0;
    const alone = { node: box.node, name: this.sizes.names[box.node] };
    const { node, name } = isPackage ? alone : onlyChild(this.sizes, box.node);
    cell.dataset.node = node;
    this.boxes.set(node, box);
    if (depth === 0) cell.setAttribute("aria-label", this.wording.about(node));
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
}
