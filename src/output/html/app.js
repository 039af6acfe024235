// The page of a closure: what is shown where, and what keys and clicks do.
import { Census } from "./graph.js";
import { State } from "./state.js";
import { Paths } from "./paths.js";
import { LABELS, TreeMap } from "./map.js";
import { Panel } from "./panel.js";
import { Search } from "./search.js";
import { Table } from "./table.js";
import { Network } from "./network.js";
import { coloring } from "./colors.js";
import { Page, openPage } from "./page.js";
import { el, fill, byId } from "./dom.js";
import { formatSize, formatCount, formatDay, counted } from "./format.js";

const VIEWS = [
  ["map", "Map", "m"],
  ["table", "Table", "t"],
  ["graph", "Graph", "g"],
];

const HELP = [
  ["Space", "select a row of the table"],
  ["x", "remove what is selected, or restore it"],
  ["k", "in the graph: cut the reference to or from the middle"],
  ["w", "in the graph: all ways to the middle"],
  ["u", "undo the last change"],
  ["s", "sizes: physical where these differ, disk, NAR"],
  ["c", "colours: contents, package, age"],
];

const NOTES = [
  "A box of the map holds what goes when it goes: the path itself, and all that only it keeps. " +
    "Hatched boxes are files that several paths have, as hard links, or extents that several share; " +
    "they lie in the nearest path that keeps all of those.",
];

const DEFAULTS = {
  view: "map",
  at: -1,
  path: -1,
  size: "",
  color: "kind",
  query: "",
  theme: "",
  ways: false,
  sort: "",
  filter: "",
  least: "",
  changes: [],
};

const CHOICES = {
  view: ["map", "table", "graph"],
  color: ["kind", "package", "age"],
  size: ["", "nar", "disk", "physical"],
  theme: ["", "light", "dark"],
};

const YES = { write: (yes) => (yes ? "yes" : ""), read: (text) => text === "yes" };

class App extends Page {
  constructor(census) {
    super({ views: VIEWS, help: HELP, notes: NOTES, selection: "path", label: "a treemap of what each path retains" });
    this.census = census;
    this.paths = new Paths(census);
    const { codec, changesCodec } = this.paths;
    const codecs = { at: codec, path: codec, ways: YES, changes: changesCodec };
    this.state = new State({ defaults: DEFAULTS, choices: CHOICES, codecs });
    this.reckoned = { key: "[]", state: census.original };
    this.map = new TreeMap(census, this.shell);
    this.panel = new Panel(census, this);
    this.search = new Search(this, {
      names: census.columns.name,
      others: census.columns.package,
      hashes: census.columns.hash_part,
    });
    this.views = { table: new Table(census, this), graph: new Network(census, this) };
    this.fileStarts = this.startsOfFiles();
    this.start();
  }

  // ---- what is known

  get disk() {
    return this.census.disk;
  }

  get physical() {
    return this.census.physical;
  }

  get left() {
    const { changes } = this.state.now;
    const key = JSON.stringify(changes);
    if (this.reckoned.key !== key) {
      const state = changes.length === 0 ? this.census.original : this.census.reckon(changes);
      this.reckoned = { key, state };
    }
    return this.reckoned.state;
  }

  weight(path) {
    return this.size === "nar" ? this.census.nar[path] : (this.census.columns[`${this.size}_size`]?.[path] ?? NaN);
  }

  startsOfFiles() {
    const counts = this.census.columns.file_counts ?? [];
    const starts = new Uint32Array(counts.length + 1);
    for (let path = 0; path < counts.length; path++) starts[path + 1] = starts[path] + counts[path];
    return starts;
  }

  filesOf(path) {
    const { file_names: names, file_sizes: sizes } = this.census.columns;
    const files = [];
    for (let k = this.fileStarts[path]; k < (this.fileStarts[path + 1] ?? 0); k++) {
      files.push({ name: names[k], size: sizes[k] });
    }
    return files;
  }

  // The node that the map shows: one that is still there.
  get root() {
    const { at } = this.state.now;
    const { above, tops } = this.left;
    if (at >= 0 && above[at] !== -2) return at;
    return tops.length === 1 ? tops[0] : -1;
  }

  // ---- what can be done

  select(path) {
    if (this.state.now.view === "map") this.jump(path);
    else this.state.set({ path });
  }

  // Shows a path in the map: the nearest box around it that shows what is in it.
  jump(path) {
    const inMap = this.state.now.view === "map";
    this.state.set(inMap ? { path, at: this.room(path) } : { path });
    this.announceNode(path);
    this.focusView();
  }

  room(path) {
    const { above, children } = this.left;
    if (above[path] === -2) return this.state.now.at;
    const at = children.has(path) ? path : above[path];
    return at >= 0 && this.census.isPath(at) ? at : -1;
  }

  isRemoved(path) {
    return this.hasChange({ action: "remove", path });
  }

  same(a, b) {
    return a.action === b.action && a.path === b.path && (a.action === "remove" || a.other === b.other);
  }

  hasChange(change) {
    return this.state.now.changes.some((other) => this.same(change, other));
  }

  toggleChange(change) {
    const { changes } = this.state.now;
    const { action, path, other } = change;
    const plain = action === "remove" ? { action, path } : { action, path, other };
    if (this.hasChange(plain)) this.state.set({ changes: changes.filter((c) => !this.same(c, plain)) });
    else this.state.set({ changes: [...changes, plain] });
    const { total } = this.left;
    this.announce(`${this.sentence(plain)}: ${formatSize(total[this.size])} are left`);
  }

  toggleRemoved(path) {
    if (path >= 0 && this.census.isPath(path)) this.toggleChange({ action: "remove", path });
  }

  sentence({ action, path, other }) {
    if (action === "remove") return `Without ${this.paths.label(path)}`;
    if (action === "cut") return `${this.paths.label(path)} without ${this.paths.label(other)}`;
    return `${this.paths.label(other)} in place of ${this.paths.label(path)}`;
  }

  // Whether a reference holds its end alone, now.
  alone(from, to) {
    const state = this.left;
    return state.above[to] !== -2 && state.above[from] !== -2 && this.census.holdsAlone(state, from, to);
  }

  get command() {
    const quoted = (text) => (/^[A-Za-z0-9+._/:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const words = this.census.facts.command.map(quoted);
    for (const { action, path, other } of this.state.now.changes) {
      if (action === "remove") words.push("--remove", this.paths.handle(path));
      else if (action === "cut") words.push("--cut", `${this.paths.handle(path)}:${this.paths.handle(other)}`);
      else words.push("--replace", `${this.paths.handle(path)}=${this.paths.handle(other)}`);
    }
    return words.join(" ");
  }

  announceNode(path) {
    if (path < 0) return;
    const retained = this.census.retainedSize(this.left, this.size, path);
    this.announce(`${this.map.name(path)}, ${formatSize(this.weight(path))}, retains ${formatSize(retained)}`);
  }

  // ---- what is shown

  show(now, before) {
    const state = this.left;
    const wanted = `${now.color} ${this.size}`;
    if (this.colored !== wanted) {
      this.colored = wanted;
      this.coloring = coloring(this.census, now.color, (path) => this.weight(path));
    }
    this.showFrame(now, this.census.facts.title, this.summary(state));
    this.showWhere();
    this.showControls(now);
    this.showLegend();
    this.showChanges(now, state);
    this.panel.show(now.path, state);
    byId("bar").hidden = now.view !== "map" && !this.disk;
    this.showView(now, before);
  }

  mapped() {
    return { state: this.left, size: this.size, coloring: this.coloring };
  }

  summary({ total }) {
    const parts = [counted(total.paths, "path")];
    for (const size of this.sizes) parts.push(`${formatSize(total[size])} ${LABELS[size]}`);
    return parts.join(" · ");
  }

  showWhere() {
    const { above } = this.left;
    const trail = [];
    for (let at = this.root; at >= 0; at = above[at]) trail.push(at);
    const names = this.census.columns.name;
    const many = this.left.tops.length !== 1;
    const items = trail.reverse().map((node) => [names[node], node]);
    if (many) items.unshift([this.census.facts.whole ? "the whole store" : this.census.facts.title, -1]);
    this.showTrail(items);
  }

  showControls(now) {
    fill(
      this.shell.controls,
      this.sizeChoice(),
      now.view === "table" ? null : this.choice("Colour", "color", [["kind", "Contents"], ["package", "Package"], ["age", "Age"]], now.color),
    );
  }

  showLegend() {
    const { legend, scale } = this.coloring;
    const { shell } = this;
    if (scale) {
      const bar = el("span", { class: "scale", "aria-hidden": "true" });
      for (const color of scale.colors) {
        const part = el("span");
        part.style.background = color;
        bar.append(part);
      }
      fill(shell.legend, el("span", {}, `registered ${formatDay(scale.first)}`), bar, el("span", {}, formatDay(scale.last)));
      return;
    }
    const used = new Set();
    for (let path = 0; path < this.census.paths; path++) {
      if (this.left.above[path] !== -2) used.add(this.coloring.classOf(path));
      if (used.size === legend.length) break;
    }
    fill(
      shell.legend,
      legend.map(({ label, color }, i) => (used.has(i) ? this.legendEntry(color, label) : null)),
      this.census.classes > 0 ? el("span", { class: "entry" }, el("span", { class: "swatch hatched" }), this.physical ? "Shared by several" : "Hard-linked by several") : null,
    );
  }

  showChanges(now, state) {
    const bar = byId("changes");
    bar.hidden = now.changes.length === 0;
    if (bar.hidden) return;
    const { original } = this.census;
    const of = (key, label) => {
      const [before, after] = [original.total[key], state.total[key]];
      return el("span", { class: "change", dataset: { key } }, el("b", {}, el("data", { value: after }, formatSize(after))), ` ${label} `, el("span", { class: "less" }, formatSize(after - before)));
    };
    fill(
      bar,
      el(
        "div",
        { class: "totals" },
        this.sizes.map((size) => of(size, LABELS[size])),
        el("span", { class: "change", dataset: { key: "paths" } }, el("b", {}, el("data", { value: state.total.paths }, formatCount(state.total.paths))), " paths ", el("span", { class: "less" }, `−${formatCount(original.total.paths - state.total.paths)}`)),
      ),
      el(
        "ul",
        { class: "made" },
        now.changes.map((change) =>
          el("li", {}, el("button", { title: "Restore", onclick: () => this.toggleChange(change) }, this.sentence(change), el("span", { "aria-hidden": "true" }, " ×"))),
        ),
        el("li", {}, el("button", { class: "all", onclick: () => this.state.set({ changes: [] }) }, "Restore all")),
      ),
      el(
        "div",
        { class: "command" },
        el("code", { id: "command" }, this.command),
        el("button", { onclick: () => this.copy(this.command, "Command copied") }, "Copy"),
      ),
    );
  }

  // ---- keys and pointers

  isSelectable(node) {
    return this.census.isPath(node);
  }

  // What has no name of its own shows what it lies in.
  clicked({ node }) {
    if (node >= 0 && this.census.isPath(node)) this.state.set({ path: node, at: this.room(node) });
    else if (node >= 0) this.state.set({ path: -1, at: this.owner(node) });
  }

  keys(now) {
    return {
      g: () => this.state.set({ view: "graph", path: now.path >= 0 ? now.path : this.root }),
      x: () => this.toggleRemoved(now.view === "graph" ? this.views.graph.target : now.path),
      u: () => now.changes.length > 0 && this.state.set({ changes: now.changes.slice(0, -1) }),
      s: () => this.toggleSize(),
      c: () => {
        const all = CHOICES.color;
        this.state.set({ color: all[(all.indexOf(now.color) + 1) % all.length] });
      },
    };
  }
}

openPage((data) => new App(new Census(data)));
