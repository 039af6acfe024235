// The tables of what equal files cost: the pairs, or the files. Columns of pairs are by
// the keys of `optimise`: key, heading, type.
import { Grid } from "./grid.js";
import { el, fill } from "./dom.js";
import { formatSize, counted } from "./format.js";

// What a column of what goes is called.
const headingOf = (freed) => (freed === "apparent_freed" ? "Apparent size" : "Frees");

const pairColumns = (freed) => [
  ["package", "Package", "text"],
  ["kept_package", "Keeps the file of", "text"],
  [freed, headingOf(freed), "size"],
  ["files_linked", "Files linked", "count"],
  ...(freed === "apparent_freed" ? [] : [["apparent_freed", "Apparent size", "size"], ["inodes_freed", "Inodes", "count"]]),
  ["bytes_freed", "As Nix counts", "size"],
];

const fileColumns = (freed) => [
  ["file", "File", "text"],
  ["package", "Package", "text"],
  ["kept_package", "Keeps the file of", "text"],
  [freed, headingOf(freed), "size"],
  ["files_linked", "Files linked", "count"],
  ["size", "Size", "size"],
];

export class PairTable extends Grid {
  constructor(pairs, app) {
    super(app, "What equal files cost", pairs.lower ? "Show only what is at least so large" : "Show only what frees at least so much");
    const freed = pairs.facts.freed_key;
    Object.assign(this, { pairs, freed, by: el("span", {}), ofEach: [pairColumns(freed), fileColumns(freed)] });
    fill(this.toolbar, this.by, this.filter, this.least, this.sum, this.copier);
    this.sortedFirst = "";
  }

  get ofFiles() {
    return this.app.state.now.by === "file";
  }

  get columns() {
    return this.ofEach[Number(this.ofFiles)];
  }

  // The pair of a row.
  pairOf(row) {
    return this.ofFiles ? this.pairs.columns.file_pair[row] : row;
  }

  get current() {
    return this.ofFiles ? this.file : this.pairs.pairOf(this.app.state.now.node);
  }

  goTo(row) {
    if (this.ofFiles) this.file = row;
    this.app.choose(this.pairs.nodeOf(this.pairOf(row)), {}, false);
  }

  open(row) {
    this.app.jump(this.pairs.nodeOf(this.pairOf(row)));
  }

  value(key, row) {
    const { columns } = this.pairs;
    const pair = this.pairOf(row);
    switch (key) {
      case "package":
        return columns.package[columns.pair_package[pair]];
      case "kept_package":
        return Number.isNaN(columns.pair_kept[pair]) ? "" : this.pairs.kept(pair);
      case "file":
        return columns.file[row];
      default:
        return columns[this.ofFiles ? `file_${key}` : key][row];
    }
  }

  width(key, type) {
    if (key === "file") return innerWidth < 620 ? 220 : 440;
    return super.width(key, type);
  }

  show(now) {
    fill(this.by, this.app.choice("Rows", "by", [["", "Pairs"], ["file", "Files"]], now.by));
    this.refresh(now.by);
    const freed = this.rows.reduce((all, row) => all + this.value(this.freed, row), 0);
    fill(
      this.sum,
      el("b", {}, counted(this.rows.length, this.ofFiles ? "group of files" : "pair", this.ofFiles ? "groups of files" : "pairs")),
      " · ",
      el("data", { value: freed }, formatSize(freed)),
    );
  }

  allRows() {
    const { test, least } = this.asked();
    const names = ["package", "kept_package", ...(this.ofFiles ? ["file"] : [])];
    const rows = [];
    for (let row = 0; row < (this.ofFiles ? this.pairs.files : this.pairs.pairs); row++) {
      if (test && !names.some((key) => test(this.value(key, row)))) continue;
      if (least > 0 && !(this.value(this.freed, row) >= least)) continue;
      rows.push(row);
    }
    return rows;
  }
}
