// The side panel of a difference: both sides as a whole, a package, or a path.
import { Details } from "./details.js";
import { el, fill, sizeElement } from "./dom.js";
import { formatChange, formatCount, counted } from "./format.js";

const PLUS = { "-1": "−", 0: "±", 1: "+" };

// A difference in bytes, coloured by its sign.
function changeElement(bytes) {
  if (Number.isNaN(bytes)) return null;
  const way = bytes > 0 ? "more-bytes" : bytes < 0 ? "less-bytes" : "";
  return el("data", { value: bytes, class: way, title: `${bytes} bytes` }, formatChange(bytes));
}

export class ChangePanel extends Details {
  constructor(changes, app) {
    super(changes.facts, app, 8);
    this.changes = changes;
  }

  show(node, path) {
    const wanted = `${node} ${path} ${this.app.size}`;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.open.clear();
    this.node = node;
    this.path = path;
    this.draw();
  }

  draw() {
    if (this.path >= 0) fill(this.element, this.ofPath(this.path));
    else if (this.changes.isPackage(this.node)) fill(this.element, this.ofPackage(this.node));
    else fill(this.element, this.overview());
  }

  // A size before and after, and how much more it is.
  change(label, before, after) {
    if (Number.isNaN(before) && Number.isNaN(after)) return null;
    return [
      el("dt", {}, label),
      el("dd", {}, sizeElement(before)),
      el("dd", {}, sizeElement(after)),
      el("dd", {}, changeElement(after - before)),
    ];
  }

  sizes(...rows) {
    const heads = ["", "before", "after", "change"].map((head) => el("span", { class: "head" }, head));
    return el("dl", { class: "sides" }, heads, rows);
  }

  pathItem(path) {
    const { columns } = this.changes;
    return el(
      "li",
      {},
      el("button", { class: "path", title: this.changes.full(path), onclick: () => this.app.showPath(path) }, columns.name[path]),
      el("span", { class: "size" }, sizeElement(columns[`${this.app.size}_size`][path])),
    );
  }

  packageItem(node) {
    return el(
      "li",
      {},
      el("button", { class: "path", onclick: () => this.app.select(node) }, this.changes.columns.package[node]),
      el("span", { class: "size" }, changeElement(this.changes.change(this.app.size, node))),
    );
  }

  chain(path) {
    const chain = this.changes.chain(path);
    if (chain.length < 2) return null;
    const { columns, changed } = this.changes;
    const item = (at) => {
      const title = this.changes.full(at);
      // What is on both sides has no page of its own.
      if (at >= changed) return el("li", {}, el("span", { class: "path plain", title }, columns.name[at]));
      return el("li", {}, el("button", { class: "path", title, onclick: () => this.app.showPath(at) }, columns.name[at]));
    };
    return this.section("Why it is here", el("ol", { class: "chain" }, chain.map(item)));
  }

  ofPackage(node) {
    const { changes } = this;
    const { columns, disk, physical } = changes;
    const both = (key) => [columns[`${key}_before`][node], columns[`${key}_after`][node]];
    const versions = ["before", "after"].map((side) => changes.versions(side, node).filter((v) => v !== "").join(", "));
    const weight = (path) => columns[`${this.app.size}_size`][path] || 0;
    const sorted = (added) => changes.pathsOf(node, added).sort((a, b) => weight(b) - weight(a) || a - b);
    const [came, went] = [sorted(true), sorted(false)];
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, columns.package[node]), el("span", { class: `badge ${changes.kind(node)}` }, changes.kind(node))),
      this.sizes(
        physical ? this.change("Physical", ...both("physical_size")) : null,
        disk ? this.change("Disk", ...both("disk_size")) : null,
        this.change("NAR", ...both("nar_size")),
        physical ? this.change("Closure physical", ...both("closure_physical_size")) : null,
        disk ? this.change("Closure", ...both("closure_disk_size")) : null,
        this.change("Closure NAR", ...both("closure_nar_size")),
        versions.some((text) => text !== "")
          ? [el("dt", {}, "Versions"), ...versions.map((text) => el("dd", { class: "text" }, text || "–")), el("dd", {})]
          : null,
      ),
      came.length > 0 ? this.chain(came[0]) : null,
      this.list("Came", came, (path) => this.pathItem(path)),
      this.list("Went", went, (path) => this.pathItem(path)),
    ];
  }

  ofPath(path) {
    const { columns, disk, physical } = this.changes;
    const node = columns.package_of[path];
    const came = columns.added[path] === 1;
    const size = (label, key) => this.row(label, sizeElement(columns[key][path] ?? NaN));
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, columns.name[path]), el("code", { class: "full" }, this.changes.full(path))),
      el(
        "div",
        { class: "actions" },
        node >= 0 ? el("button", { class: "action", onclick: () => this.app.select(node) }, `All of ${columns.package[node]}`) : null,
        el("button", { class: "action", onclick: () => this.app.copy(this.changes.full(path), "Path copied") }, "Copy path"),
      ),
      el("p", { class: "note" }, came ? "It came: what was did not have it." : "It went: what is does not have it."),
      el(
        "dl",
        { class: "sizes" },
        physical ? size("Physical size", "physical_size") : null,
        disk ? size("Disk size", "disk_size") : null,
        size("NAR size", "nar_size"),
        physical ? size("Closure physical", "closure_physical_size") : null,
        disk ? size("Closure on disk", "closure_disk_size") : null,
        size("Closure NAR", "closure_nar_size"),
      ),
      this.chain(path),
    ];
  }

  overview() {
    const { facts } = this;
    const { disk, physical } = this.changes;
    const [old, now] = facts.sides;
    const known = (n) => n ?? NaN;
    const { size } = this.app;
    const target = (label, side) => this.row(label, el("code", {}, side.target));
    const paths = (side) => el("dd", {}, this.count(side.paths));
    const kind = ([name, n]) =>
      el("li", {}, el("button", { class: "path", onclick: () => this.app.state.set({ view: "table", by: "", kind: name }) }, name), el("span", { class: "size" }, formatCount(n)));
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, "What is different")),
      el("dl", { class: "targets" }, target("Before", old), target("After", now)),
      this.sizes(
        physical ? this.change("Physical", known(old.physical_size), known(now.physical_size)) : null,
        disk ? this.change("Disk", known(old.disk_size), known(now.disk_size)) : null,
        this.change("NAR", known(old.nar_size), known(now.nar_size)),
        [el("dt", {}, "Paths"), paths(old), paths(now), el("dd", {}, `${PLUS[Math.sign(now.paths - old.paths)]}${formatCount(Math.abs(now.paths - old.paths))}`)],
      ),
      this.sizesNote(),
      this.overlap(size),
      this.unnamed(),
      this.section("Packages", el("ul", { class: "kinds" }, facts.kinds.filter(([, n]) => n > 0).map(kind)), el("p", { class: "note" }, `${counted(facts.same.packages, "package has", "packages have")} the same paths on both sides.`)),
      this.newcomers(),
      this.list("Largest changes", this.largest(), (node) => this.packageItem(node)),
      this.warnings(),
    ];
  }

  // Rows need not add up to the whole: hard-linked files count in each package that has them.
  overlap(size) {
    const [sum, total] = [this.changes.sumOfChanges(size), this.changes.totalChange(size)];
    if (Number.isNaN(sum - total) || sum === total) return null;
    return el(
      "p",
      { class: "note" },
      `The packages come to ${formatChange(sum)}, the whole to ${formatChange(total)}: ${size === "physical" ? "extents that several packages share" : "files that several packages have as hard links"} `,
      "count in each of them, and in the whole once.",
    );
  }

  unnamed() {
    const { unnamed_packages: packages, unnamed_paths: paths } = this.facts;
    if (packages + paths === 0) return null;
    return el(
      "p",
      { class: "note" },
      `This page names what weighs most: ${counted(packages, "smaller package")} and ${counted(paths, "smaller path")} have no names here.`,
    );
  }

  newcomers() {
    const paths = this.facts.newcomers;
    if (paths.length === 0) return null;
    const item = (path) => [this.pathItem(path), el("li", { class: "because" }, this.changes.because(path))];
    return this.section("Why the largest new ones are there", el("ul", { class: "paths" }, paths.slice(0, this.most).map(item)));
  }

  largest() {
    const { changes } = this;
    const weight = (node) => Math.abs(changes.change(this.app.size, node)) || 0;
    const all = Array.from({ length: changes.packages }, (_, node) => node).filter((node) => weight(node) > 0);
    return all.sort((a, b) => weight(b) - weight(a) || a - b).slice(0, 40);
  }
}
