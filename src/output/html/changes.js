// What is different between two closures: the packages that are not the same, and their
// paths that came and went. Both are numbered as the page lists them, what weighs first.

// What packages or paths lie in, on the map.
const GREW = 0;
const SHRANK = 1;
const CAME = 2;
const WENT = 3;
const CHANGED = 4;
const SAME = 5;
// What has no name here, of each of the first four.
const UNNAMED = 6;
const NAMES = ["Grew", "Shrank", "Came", "Went", "Changed", "The same"];
export const REGIONS = NAMES.map((name) => name.toLowerCase().replace("the ", ""));

// The nodes of the map are the packages, then these regions, then the paths.
const ALL_REGIONS = 10;

export class Changes {
  constructor({ facts, columns }) {
    this.facts = facts;
    this.columns = columns;
    this.packages = columns.package.length;
    this.disk = facts.disk;
    this.physical = facts.physical;
    this.kinds = facts.kinds.map(([name]) => name);
    // How many of the paths came or went; the others are in chains alone.
    this.changed = columns.closure_nar_size.length;
    this.places = Array.from({ length: this.packages }, () => []);
    for (let path = 0; path < this.changed; path++) {
      this.places[columns.package_of[path]]?.push(path);
    }
    this.trees = new Map();
  }

  isPackage(node) {
    return node >= 0 && node < this.packages;
  }

  region(node) {
    return node - this.packages;
  }

  // The node of a path, and the path of a node, or -1.
  nodeOf(path) {
    return this.packages + ALL_REGIONS + path;
  }

  pathOf(node) {
    return Math.max(-1, node - this.packages - ALL_REGIONS);
  }

  // What happened to a package, in a word.
  kind(node) {
    return this.kinds[this.columns.change[node]];
  }

  before(size, node) {
    return this.columns[`${size}_size_before`][node];
  }

  after(size, node) {
    return this.columns[`${size}_size_after`][node];
  }

  change(size, node) {
    return this.after(size, node) - this.before(size, node);
  }

  // By how much all packages together are larger; those that have no name here too.
  sumOfChanges(size) {
    const [grew, shrank] = this.facts.unnamed[size];
    let sum = grew - shrank;
    for (let node = 0; node < this.packages; node++) sum += this.change(size, node);
    return sum;
  }

  totalChange(size) {
    const [old, now] = this.facts.sides.map((side) => side[`${size}_size`] ?? NaN);
    return now - old;
  }

  // The paths of a package that came, or that went.
  pathsOf(node, added) {
    return this.places[node].filter((path) => this.columns.added[path] === (added ? 1 : 0));
  }

  full(path) {
    const { hash_part: hashes, name: names, added } = this.columns;
    return `${this.facts.sides[added[path]].store_dir}/${hashes[path]}-${names[path]}`;
  }

  // A shortest chain from what was compared to a path that came, itself included.
  chain(path) {
    if (this.columns.added[path] !== 1) return [];
    const chain = [];
    for (let at = path; !Number.isNaN(at); at = this.columns.before[at]) chain.push(at);
    return chain.reverse();
  }

  // The names of what leads to a path that came.
  because(path) {
    return this.chain(path).slice(0, -1).map((at) => this.columns.name[at]).join(" → ");
  }

  versions(side, node) {
    const { offsets, targets } = this.columns[`versions_${side}`];
    const list = targets.subarray(offsets[node], offsets[node + 1]);
    return [...list].map((at) => this.columns.version_texts[at]);
  }

  // What the map shows: by the change, what grew and what shrank; by the paths, what came
  // and what went; as a whole, what is different and what is the same. Each node has its
  // weight and what is in it.
  tree(area, size) {
    const key = `${area} ${size}`;
    let tree = this.trees.get(key);
    if (!tree) {
      const make = { change: () => this.treeOfChanges(size), paths: () => this.treeOfPaths(size) };
      tree = (make[area] ?? (() => this.treeOfWhole(size)))();
      this.trees.set(key, tree);
    }
    return tree;
  }

  treeOfChanges(size) {
    const tree = new Tree(this);
    for (let node = 0; node < this.packages; node++) {
      const change = this.change(size, node) || 0;
      tree.put(node, Math.abs(change), change > 0 ? GREW : SHRANK);
    }
    this.facts.unnamed[size].slice(0, 2).forEach((sum, at) => tree.put(this.packages + UNNAMED + at, sum, GREW + at));
    return tree.finish();
  }

  treeOfPaths(size) {
    const tree = new Tree(this);
    const { added, [`${size}_size`]: sizes } = this.columns;
    for (let path = 0; path < this.changed; path++) {
      tree.put(this.nodeOf(path), sizes[path] || 0, added[path] === 1 ? CAME : WENT);
    }
    this.facts.unnamed[size].slice(2).forEach((sum, at) => tree.put(this.packages + UNNAMED + 2 + at, sum, CAME + at));
    return tree.finish();
  }

  treeOfWhole(size) {
    const tree = new Tree(this);
    for (let node = 0; node < this.packages; node++) {
      tree.put(node, Math.max(this.before(size, node) || 0, this.after(size, node) || 0), CHANGED);
    }
    const { before, after } = this.facts.same;
    const key = `${size}_size`;
    tree.weights[this.packages + SAME] = Math.max(before[key] ?? 0, after[key] ?? 0);
    return tree.finish();
  }

  // The name of a node of the map.
  name(node) {
    if (this.isPackage(node)) return this.columns.package[node];
    if (node < 0) return "All";
    const path = this.pathOf(node);
    return path >= 0 ? this.columns.name[path] : (NAMES[this.region(node)] ?? "Without names here");
  }

  // Whether a node of the map is of what grew or came (1), of what shrank or went (-1), or
  // of neither (0).
  way(size, node) {
    if (this.isPackage(node)) return Math.sign(this.change(size, node)) || 0;
    const path = this.pathOf(node);
    if (path >= 0) return this.columns.added[path] === 1 ? 1 : -1;
    const region = this.region(node);
    if (region === CHANGED || region === SAME) return 0;
    return region % 2 === 0 ? 1 : -1;
  }

  isSame(node) {
    return this.region(node) === SAME;
  }
}

// Nodes in regions, and what they weigh; what weighs nothing is not in it.
class Tree {
  constructor(changes) {
    const nodes = changes.nodeOf(changes.changed);
    this.first = changes.packages;
    this.weights = new Float64Array(nodes);
    this.above = new Int32Array(nodes).fill(-2);
    this.kids = new Map();
    this.tops = [];
  }

  put(node, weight, region) {
    if (!(weight > 0)) return;
    const at = this.first + region;
    this.weights[node] = weight;
    this.weights[at] += weight;
    this.above[node] = at;
    if (this.kids.has(at)) this.kids.get(at).push(node);
    else this.kids.set(at, [node]);
  }

  finish() {
    for (let at = this.first; at <= this.first + SAME; at++) {
      if (this.weights[at] === 0) continue;
      this.tops.push(at);
      this.above[at] = -1;
    }
    return this;
  }
}
