// The page of a difference between two closures.
import { Changes, REGIONS } from "./changes.js";
import { State } from "./state.js";
import { ChangeMap, COLORS } from "./changemap.js";
import { ChangePanel } from "./changepanel.js";
import { ChangeTable } from "./changetable.js";
import { WHOLE } from "./tiles.js";
import { Search } from "./search.js";
import { Page, openPage } from "./page.js";
import { el, fill } from "./dom.js";
import { formatSize, formatChange, formatCount } from "./format.js";

const VIEWS = [
  ["map", "Map", "m"],
  ["table", "Table", "t"],
];

const AREAS = [
  ["change", "Change"],
  ["paths", "Came and went"],
  ["whole", "Whole"],
];

const NOTHING = {
  change: "No package is larger or smaller.",
  paths: "No path came or went.",
  whole: "There is nothing on either side.",
};

const HELP = [
  ["a", "areas: the change, what came and went, the whole"],
  ["p", "rows of the table: packages or paths"],
  ["s", "sizes: physical where these differ, disk, NAR"],
];

const NOTES = [
  "By the change, a box is as large as what a package grew or shrank by. What came and what went are " +
    "single paths: of a package that was built again both are shown. As a whole, a box is as large as a " +
    "package was or is, whichever is more, and the part by which it grew or shrank is coloured.",
];

const DEFAULTS = {
  view: "map",
  at: -1,
  package: -1,
  path: -1,
  area: "",
  size: "",
  by: "",
  kind: "",
  query: "",
  theme: "",
  sort: "",
  filter: "",
  least: "",
};

class DiffApp extends Page {
  constructor(changes) {
    super({ views: VIEWS, help: HELP, notes: NOTES, selection: "package", label: "a treemap of what grew and what shrank" });
    this.changes = changes;
    this.state = new State({ defaults: DEFAULTS, choices: this.choices(), codecs: this.codecs() });
    this.map = new ChangeMap(changes, this.shell);
    this.panel = new ChangePanel(changes, this);
    const { package: names, pname } = changes.columns;
    this.search = new Search(this, { names, others: pname });
    this.views = { table: new ChangeTable(changes, this) };
    this.start();
  }

  choices() {
    return {
      view: ["map", "table"],
      area: ["", "change", "paths", "whole"],
      size: ["", "nar", "disk", "physical"],
      by: ["", "path"],
      kind: ["", ...this.changes.kinds],
      theme: ["", "light", "dark"],
    };
  }

  codecs() {
    const { packages, columns, changed } = this.changes;
    const region = (node) => REGIONS[node - packages] ?? "";
    const keys = Array.from({ length: changed }, (_, path) => `${columns.hash_part[path]}-${columns.name[path]}`);
    return {
      at: { write: region, read: (text) => (REGIONS.includes(text) ? packages + REGIONS.indexOf(text) : -1) },
      package: { write: (node) => columns.pname[node] ?? "", read: (text) => columns.pname.indexOf(text) },
      path: { write: (path) => keys[path] ?? "", read: (text) => keys.indexOf(text) },
    };
  }

  get disk() {
    return this.changes.disk;
  }

  get physical() {
    return this.changes.physical;
  }

  // Where nothing is larger or smaller, what came and went in its place is shown.
  get area() {
    const { area } = this.state.now;
    if (area !== "") return area;
    return this.changes.tree("change", this.size).tops.length > 0 ? "change" : "paths";
  }

  get tree() {
    return this.changes.tree(this.area, this.size);
  }

  // The node that the map shows, if there is such.
  get root() {
    const { at } = this.state.now;
    return at >= 0 && this.tree.above[at] !== -2 ? at : -1;
  }

  weight(node) {
    return this.changes.change(this.size, node);
  }

  // The node of the map that is selected: a path where those are shown.
  get selected() {
    const { package: node, path } = this.state.now;
    return this.area === "paths" && path >= 0 ? this.changes.nodeOf(path) : node;
  }

  choose(node, more = {}, step = true) {
    const path = this.changes.pathOf(node);
    const of = path >= 0 ? this.changes.columns.package_of[path] : node;
    this.state.set({ ...more, path, package: Number.isNaN(of) ? -1 : of }, step);
  }

  select(node) {
    this.choose(node);
  }

  showPath(path, step = true) {
    this.choose(this.changes.nodeOf(path), {}, step);
  }

  // Shows a package in the map.
  jump(node) {
    const { above } = this.tree;
    const at = above[node] === this.root ? this.root : -1;
    this.choose(node, { view: "map", at });
    this.announceNode(node);
    this.focusView();
  }

  // A node of the map, or a row of the table.
  announceNode(row) {
    const { changes } = this;
    const ofPath = this.state.now.view === "table" && this.views.table.ofPaths;
    const node = ofPath ? changes.nodeOf(row) : row;
    if (node < 0) return;
    if (changes.isPackage(node)) {
      this.announce(`${changes.name(node)}, ${changes.kind(node)}, ${formatChange(this.weight(node))}`);
    } else if (changes.pathOf(node) >= 0) {
      const size = changes.columns[`${this.size}_size`][changes.pathOf(node)];
      this.announce(`${changes.name(node)}, ${changes.way(this.size, node) > 0 ? "came" : "went"}, ${formatSize(size)}`);
    } else {
      this.announce(`${changes.name(node)}, ${formatSize(this.tree.weights[node])}`);
    }
  }

  // ---- what is shown

  show(now, before) {
    this.showFrame(now, this.changes.facts.title, this.summary());
    const { root } = this;
    this.showTrail(root < 0 ? [["All", -1]] : [["All", -1], [this.changes.name(root), root]]);
    fill(
      this.shell.controls,
      now.view === "map" ? this.choice("Area", "area", AREAS, this.area) : null,
      this.sizeChoice(),
    );
    this.panel.show(now.package, now.path);
    this.showView(now, before);
    if (now.view === "map") this.showLegend();
  }

  mapped() {
    return { tree: this.tree, area: this.area, size: this.size };
  }

  // What is called so: packages, and their paths.
  marked(query) {
    const found = this.search.matches(query);
    const paths = found.flatMap((node) => this.changes.places[node]);
    return [...found, ...paths.map((path) => this.changes.nodeOf(path))];
  }

  summary() {
    const [old, now] = this.changes.facts.sides;
    const part = (size, label) => {
      const [a, b] = [old, now].map((side) => side[`${size}_size`] ?? NaN);
      return `${formatSize(a)} → ${formatSize(b)} ${label} (${formatChange(b - a)})`;
    };
    const more = [part("nar", "NAR"), `${formatCount(old.paths)} → ${formatCount(now.paths)} paths`];
    if (!this.disk) return more.join(" · ");
    return [this.physical ? part("physical", "physical") : part("disk", "on disk"), el("span", { class: "wide" }, ` · ${more.join(" · ")}`)];
  }

  showLegend() {
    const entries = {
      change: [["added", "Added"], ["grew", "Grew"], ["removed", "Removed"], ["shrank", "Shrank"]],
      paths: [["added", "Came with a new package"], ["grew", "Came"], ["removed", "Went with its package"], ["shrank", "Went"]],
      whole: [["added", "Added"], ["grew", "The part by which it grew"], ["removed", "Removed"], ["shrank", "The part by which it shrank"], ["as", "Changed, and as large"]],
    }[this.area];
    const nothing = this.tree.tops.length === 0;
    const used = new Set([...this.tree.kids.values()].flat().map((node) => this.map.color(node)));
    if (this.area === "whole") ["grew", "shrank"].forEach((key) => used.add(COLORS[key]));
    fill(
      this.shell.legend,
      nothing ? el("span", {}, NOTHING[this.area]) : entries.map(([key, label]) => (used.has(COLORS[key]) ? this.legendEntry(COLORS[key], label) : null)),
    );
  }

  // ---- keys and pointers

  isSelectable(node) {
    return this.changes.isPackage(node) || this.changes.pathOf(node) >= 0 || this.map.kids(node).length > 0;
  }

  // What is too small to be drawn is in the table.
  clicked({ node, part, parent }) {
    if (this.changes.isPackage(node) || this.changes.pathOf(node) >= 0) this.select(node);
    else if (node >= 0 && this.root !== node && this.map.kids(node).length > 0) this.enter(node);
    else if (part !== WHOLE && parent >= 0) this.state.set({ view: "table", by: "" });
  }

  keys(now) {
    return {
      a: () => {
        const at = AREAS.findIndex(([area]) => area === this.area);
        this.state.set({ view: "map", area: AREAS[(at + 1) % AREAS.length][0] });
      },
      p: () => this.state.set({ view: "table", by: now.by === "" ? "path" : "" }),
      s: () => this.toggleSize(),
    };
  }
}

openPage((data) => new DiffApp(new Changes(data)));
