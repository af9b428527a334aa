// Squarified treemaps (Bruls, Huizing, van Wijk 2000), in pixels.

// The boxes {node, x, y, w, h} of weighted items in a rectangle; items fall in weight.
function squarified(items, x, y, w, h) {
  const boxes = [];
  let left = items.reduce((sum, item) => sum + item.value, 0);
  let from = 0;
  while (from < items.length && left > 0 && w > 0 && h > 0) {
    const scale = (w * h) / left;
    const short = Math.min(w, h);
    const [until, sum] = strip(items, from, short, scale);
    const depth = (sum * scale) / short;
    let along = 0;
    for (; from < until; from++) {
      const length = (items[from].value * scale) / depth;
      boxes.push(
        w >= h
          ? { node: items[from].node, x, y: y + along, w: depth, h: length }
          : { node: items[from].node, x: x + along, y, w: length, h: depth },
      );
      along += length;
    }
    if (w >= h) [x, w] = [x + depth, w - depth];
    else [y, h] = [y + depth, h - depth];
    left -= sum;
  }
  return boxes;
}

// How many items the next strip takes before its boxes become less square again.
function strip(items, from, short, scale) {
  let sum = 0;
  let worst = Infinity;
  let until = from;
  while (until < items.length) {
    const next = sum + items[until].value;
    const thick = (next * scale) / short;
    const ratio = (value) => Math.max((value * scale) / thick / thick, (thick * thick) / (value * scale));
    const bad = Math.max(ratio(items[from].value), ratio(items[until].value));
    if (bad > worst) break;
    [sum, worst] = [next, bad];
    until += 1;
  }
  return [until, sum];
}

// Children worth a box each, the heaviest first; the rest is one box without a node.
function shown(sizes, node, side, area) {
  const total = sizes.value(node, side);
  const items = sizes
    .children(node)
    .map((child) => ({ node: child, value: sizes.value(child, side) }))
    .filter((item) => item.value > 0)
    .sort((one, other) => other.value - one.value || one.node - other.node);
  const least = (total * SMALLEST) / area;
  let end = items.length;
  while (end > 1 && items[end - 1].value < least) end -= 1;
  if (items.length - end < 2) return items;
  const rest = items.splice(end);
  items.push({ node: -1, value: rest.reduce((sum, item) => sum + item.value, 0), rest });
  return items;
}

const SMALLEST = 60; // square pixels

// A directory with nothing but one directory in it is shown as that one.
function onlyChild(sizes, node) {
  let name = sizes.names[node];
  for (;;) {
    const below = sizes.children(node);
    if (below.length !== 1 || !sizes.children(below[0]).length) return { node, name };
    node = below[0];
    name += `/${sizes.names[node]}`;
  }
}
