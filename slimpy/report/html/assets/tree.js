// The list of files, unfolded: columns by number of the path. Texts out of the image are only ever
// set as text, never as markup.

const REMOVED = 0, KEPT = 1, NAME_ONLY = 2;
const STATES = { r: REMOVED, k: KEPT, n: NAME_ONLY };

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

// Columns of a tree of sizes: nodes come after their parents.
class Sizes {
  constructor() {
    this.names = [""];
    this.parents = [-1];
    this.kept = [0];
    this.gone = [0];
    this.keptFiles = [0];
    this.goneFiles = [0];
    this.below = null;
  }

  add(parent, name) {
    this.names.push(name);
    this.parents.push(parent);
    this.kept.push(0);
    this.gone.push(0);
    this.keptFiles.push(0);
    this.goneFiles.push(0);
    return this.names.length - 1;
  }

  weigh(node, kept, gone, isKept) {
    this.kept[node] += kept;
    this.gone[node] += gone;
    this[isKept ? "keptFiles" : "goneFiles"][node] += 1;
  }

  // Adds every node's figures to its parent's, once all are there.
  sum() {
    for (let node = this.names.length - 1; node > 0; node--) {
      const parent = this.parents[node];
      this.kept[parent] += this.kept[node];
      this.gone[parent] += this.gone[node];
      this.keptFiles[parent] += this.keptFiles[node];
      this.goneFiles[parent] += this.goneFiles[node];
    }
    return this;
  }

  children(node) {
    if (!this.below) {
      this.below = this.names.map(() => null);
      for (let child = 1; child < this.names.length; child++) {
        (this.below[this.parents[child]] ??= []).push(child);
      }
    }
    return this.below[node] ?? [];
  }

  value(node, side) {
    return side === "after" ? this.kept[node] : this.kept[node] + this.gone[node];
  }
}

class Files {
  constructor(text) {
    const gap = text.indexOf("\n\n");
    this.rules = new Map(text.slice(0, gap).split("\n").map((line) => line.split("\t")));
    this.ruleNames = [...this.rules.keys()];
    this.tree = new Sizes();
    this.types = [""];
    this.states = [-1];
    this.sizes = [0];
    this.owners = [0];
    this.firstRule = [-1];
    this.reasons = [null];
    this.packages = [""];
    this.removed = [];
    this.kept = [];
    this.#read(text.slice(gap + 2).split("\n"));
    this.tree.sum();
    this.cachedPaths = null;
    this.cachedKeys = null;
  }

  #read(lines) {
    const numbers = new Map(this.ruleNames.map((name, number) => [name, number]));
    const way = [0];
    for (const line of lines) {
      if (!line) continue;
      const fields = line.split("\t");
      way.length = Number(fields[0]) + 1;
      const parts = fields[1].split("/");
      for (const part of parts) way.push(this.#node(way[way.length - 1], part));
      const node = way[way.length - 1];
      const state = STATES[fields[2][1].toLowerCase()];
      const counts = fields[2][1] >= "a";
      this.types[node] = fields[2][0];
      this.states[node] = state;
      this.sizes[node] = Number(fields[3]);
      this.owners[node] = this.#owner(fields[4]);
      if (fields.length > 5) {
        this.reasons[node] = fields;
        this.firstRule[node] = numbers.get(fields[5]) ?? -1;
      }
      (state === REMOVED ? this.removed : this.kept).push(node);
      if (fields[2][0] !== "f") continue;
      const size = counts ? this.sizes[node] : 0;
      this.tree.weigh(node, state === KEPT ? size : 0, state === KEPT ? 0 : size, state !== REMOVED);
    }
  }

  #node(parent, name) {
    const node = this.tree.add(parent, name);
    this.types.push("d");
    this.states.push(-1);
    this.sizes.push(0);
    this.owners.push(0);
    this.firstRule.push(-1);
    this.reasons.push(null);
    return node;
  }

  #owner(field) {
    if (!field) return 0;
    if (field[0] !== "+") return Number(field) + 1;
    return this.packages.push(field.slice(1)) - 1;
  }

  // All paths by number; made when first asked for.
  get paths() {
    if (!this.cachedPaths) {
      const { names, parents } = this.tree;
      this.cachedPaths = [""];
      for (let node = 1; node < names.length; node++) {
        this.cachedPaths.push(`${this.cachedPaths[parents[node]]}/${names[node]}`);
      }
    }
    return this.cachedPaths;
  }

  // What a search looks in: path and package in small letters.
  get keys() {
    this.cachedKeys ??= this.paths.map((path, node) => {
      const owner = this.owners[node];
      return (owner ? `${path} ${this.packages[owner]}` : path).toLowerCase();
    });
    return this.cachedKeys;
  }

  // The reasons of a path: rule, by, detail, and how many are left out.
  why(node) {
    const fields = this.reasons[node] ?? [];
    const found = [];
    let more = 0;
    for (let at = 5; at + 2 < fields.length; at += 3) {
      if (fields[at]) found.push({ rule: fields[at], by: fields[at + 1], detail: fields[at + 2] });
      else more = Number(fields[at + 1]);
    }
    return { found, more };
  }

  hasRule(node, rule) {
    const fields = this.reasons[node] ?? [];
    for (let at = 5; at < fields.length; at += 3) if (fields[at] === rule) return true;
    return false;
  }

  // The same sizes with packages at the top and their paths below.
  byPackage() {
    const sizes = new Sizes();
    const ways = new Map();
    const { parents, names } = this.tree;
    const directory = (owner, node) => {
      const key = owner * names.length + node;
      if (!ways.has(key)) {
        const above = node ? directory(owner, parents[node]) : 0;
        ways.set(key, sizes.add(above, node ? names[node] : this.packages[owner] || "no package"));
      }
      return ways.get(key);
    };
    for (const list of [this.kept, this.removed]) {
      for (const node of list) {
        if (this.types[node] !== "f") continue;
        const made = sizes.add(directory(this.owners[node], parents[node]), names[node]);
        sizes.weigh(made, this.tree.kept[node], this.tree.gone[node], this.states[node] !== REMOVED);
      }
    }
    return sizes.sum();
  }
}

function sizeText(size) {
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (size >= unit * 0.99995) return `${(size / unit).toFixed(1)} ${name}`;
  }
  return `${size} B`;
}

const many = (count) => count.toLocaleString("en-US");
const countOf = (files) => `${many(files)} ${files === 1 ? "file" : "files"}`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
