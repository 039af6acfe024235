// What equal files cost: pairs of a package whose files are replaced and one whose files
// are kept, and the files that they have in common.

import { formatSize } from "./format.js";

// The nodes of the map are the packages, then the pairs, then what has no name here.
export class Pairs {
  constructor({ facts, columns }) {
    this.facts = facts;
    this.columns = columns;
    this.packages = columns.package.length;
    this.pairs = columns.pair_package.length;
    this.files = columns.file.length;
    // On an overlay what goes is not known: files of lower layers are copied before they are
    // linked. Their lengths stand for it.
    this.lower = facts.has_lower_layers;
    // What all of it would free.
    this.freed = facts[facts.freed_key];
    this.unnamed = this.packages + this.pairs;
    this.weights = new Float64Array(this.unnamed + 1);
    this.kids = new Map();
    this.keptFor = new Map();
    for (let pair = 0; pair < this.pairs; pair++) {
      const { pair_package: packages, pair_kept: kept, [facts.freed_key]: freed } = columns;
      const node = packages[pair];
      this.weights[this.nodeOf(pair)] = freed[pair];
      this.weights[node] += freed[pair];
      this.append(this.kids, node, this.nodeOf(pair));
      if (kept[pair] !== node) this.append(this.keptFor, kept[pair], this.nodeOf(pair));
    }
    this.weights[this.unnamed] = facts.unnamed.freed;
    const all = Array.from({ length: this.packages }, (_, node) => node);
    this.tops = [...all, this.unnamed].filter((node) => this.weights[node] > 0);
  }

  // A size by what it is.
  said(size) {
    return this.lower ? `${formatSize(size)} in apparent size` : `${formatSize(size)} would be freed`;
  }

  append(map, key, value) {
    if (map.has(key)) map.get(key).push(value);
    else map.set(key, [value]);
  }

  isPackage(node) {
    return node >= 0 && node < this.packages;
  }

  // The node of a pair, and the pair of a node, or -1.
  nodeOf(pair) {
    return this.packages + pair;
  }

  pairOf(node) {
    return node >= this.packages && node < this.unnamed ? node - this.packages : -1;
  }

  // Whose files a pair keeps: a package, or only .links has them.
  kept(pair) {
    const kept = this.columns.pair_kept[pair];
    return Number.isNaN(kept) ? ".links" : this.columns.package[kept];
  }

  // Where the file is kept: in the same package, in another, or in .links alone.
  where(pair) {
    const kept = this.columns.pair_kept[pair];
    if (Number.isNaN(kept)) return "links";
    return kept === this.columns.pair_package[pair] ? "same" : "other";
  }

  name(node) {
    if (node < 0) return "All";
    if (this.isPackage(node)) return this.columns.package[node];
    const pair = this.pairOf(node);
    return pair >= 0 ? this.kept(pair) : "Pairs without names here";
  }

  // The same as one says it: which files, and where the equal ones are kept.
  title(node) {
    const pair = this.pairOf(node);
    if (pair < 0) return this.name(node);
    const of = this.columns.package[this.columns.pair_package[pair]];
    return this.where(pair) === "same" ? `${of}, more than once` : `${of}, as in ${this.kept(pair)}`;
  }

  // The name of a file without the hash part of its path.
  fileName(file) {
    const name = this.columns.file[file];
    return name === "" ? "without a name" : name.replace(/^[^/-]{32}-/, "");
  }

  // The files of a pair, those that save most first.
  filesOf(pair) {
    const found = [];
    for (let file = 0; file < this.files; file++) if (this.columns.file_pair[file] === pair) found.push(file);
    return found;
  }
}
