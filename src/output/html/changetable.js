// The tables of a difference: the packages, or the paths, that are not the same. Columns
// are by the keys of `diff`: key, heading, type.
import { Grid } from "./grid.js";
import { el, fill } from "./dom.js";
import { formatChange, formatCount, counted } from "./format.js";

const PACKAGES = [
  ["package", "Package", "text"],
  ["change", "What", "text"],
  ["physical_change", "Physical change", "change"],
  ["physical_size_before", "Physical before", "size"],
  ["physical_size_after", "Physical after", "size"],
  ["disk_change", "Disk change", "change"],
  ["disk_size_before", "Disk before", "size"],
  ["disk_size_after", "Disk after", "size"],
  ["versions", "Versions", "text"],
  ["nar_change", "NAR change", "change"],
  ["nar_size_before", "NAR before", "size"],
  ["nar_size_after", "NAR after", "size"],
  ["closure_physical_size_before", "Closure physical before", "size"],
  ["closure_physical_size_after", "Closure physical after", "size"],
  ["closure_disk_size_before", "Closure before", "size"],
  ["closure_disk_size_after", "Closure after", "size"],
  ["closure_nar_size_before", "Closure NAR before", "size"],
  ["closure_nar_size_after", "Closure NAR after", "size"],
];

const PATHS = [
  ["name", "Name", "text"],
  ["change", "What", "text"],
  ["physical_size", "Physical", "size"],
  ["disk_size", "Disk size", "size"],
  ["nar_size", "NAR size", "size"],
  ["closure_physical_size", "Closure physical", "size"],
  ["closure_disk_size", "Closure disk", "size"],
  ["closure_nar_size", "Closure NAR", "size"],
  ["chain", "Because of", "text"],
  ["path", "Path", "text"],
];

export class ChangeTable extends Grid {
  constructor(changes, app) {
    super(app, "What is different", "Show only what changes at least so much");
    const by = el("span", {});
    const kinds = el("span", { class: "filters" });
    Object.assign(this, { changes, by, kinds });
    fill(this.toolbar, by, this.filter, this.least, this.sum, this.copier, kinds);
    this.sortedFirst = "";
  }

  get ofPaths() {
    return this.app.state.now.by === "path";
  }

  get columns() {
    const has = ([key]) => ["disk", "physical"].every((size) => this.changes[size] || !key.includes(size));
    return (this.ofPaths ? PATHS : PACKAGES).filter(has);
  }

  get current() {
    const { path, package: node } = this.app.state.now;
    return this.ofPaths ? path : node;
  }

  goTo(row) {
    if (this.ofPaths) this.app.showPath(row, false);
    else this.app.choose(row, {}, false);
  }

  open(row) {
    const node = this.ofPaths ? this.changes.columns.package_of[row] : row;
    if (node >= 0) this.app.jump(node);
  }

  value(key, row) {
    const { columns } = this.changes;
    switch (key) {
      case "change":
        return this.ofPaths ? (columns.added[row] ? "added" : "removed") : this.changes.kind(row);
      case "physical_change":
        return this.changes.change("physical", row);
      case "disk_change":
        return this.changes.change("disk", row);
      case "nar_change":
        return this.changes.change("nar", row);
      case "path":
        return this.changes.full(row);
      case "chain":
        return this.changes.because(row);
      default:
        return columns[key][row];
    }
  }

  width(key, type) {
    const wide = key.startsWith("closure_physical_size_") ? 44 : 0;
    return key === "change" ? 92 : super.width(key, type) + wide;
  }

  show(now) {
    const { app } = this;
    fill(this.by, app.choice("Rows", "by", [["", "Packages"], ["path", "Paths"]], now.by));
    const counts = this.changes.facts.kinds.filter(([, n]) => n > 0).map(([kind, n]) => [kind, `${kind} ${formatCount(n)}`]);
    fill(this.kinds, this.ofPaths ? null : app.choice("What", "kind", [["", "all"], ...counts], now.kind));
    this.refresh(now.by, now.kind, app.size);
    this.showSum();
  }

  allRows() {
    const { now } = this.app.state;
    const { changes } = this;
    const { size } = this.app;
    const { test, least } = this.asked();
    const names = this.ofPaths ? changes.columns.name : changes.columns.package;
    const weight = this.ofPaths
      ? (path) => changes.columns[`${size}_size`][path]
      : (node) => Math.abs(changes.change(size, node));
    const rows = [];
    for (let row = 0; row < (this.ofPaths ? changes.changed : changes.packages); row++) {
      if (test && !test(names[row])) continue;
      if (!this.ofPaths && now.kind !== "" && changes.kind(row) !== now.kind) continue;
      if (least > 0 && weight(row) < least) continue;
      rows.push(row);
    }
    // As the program lists them: what weighs most first.
    return rows.sort((a, b) => (weight(b) || 0) - (weight(a) || 0) || a - b);
  }

  // What the rows come to; of paths that is for each side.
  showSum() {
    const { changes, rows } = this;
    const { size } = this.app;
    const sum = rows.reduce((all, row) => all + (this.ofPaths ? 0 : changes.change(size, row)), 0);
    const text = this.ofPaths ? counted(rows.length, "path") : counted(rows.length, "package");
    fill(this.sum, el("b", {}, text), this.ofPaths || Number.isNaN(sum) ? null : [" · ", el("data", { value: sum }, formatChange(sum))]);
  }
}
