// The page of what equal files cost, by pair of packages.
import { Pairs } from "./pairs.js";
import { State } from "./state.js";
import { PairMap, COLORS } from "./pairmap.js";
import { PairPanel } from "./pairpanel.js";
import { PairTable } from "./pairtable.js";
import { WHOLE } from "./tiles.js";
import { Search } from "./search.js";
import { Page, openPage } from "./page.js";
import { el, fill, byId } from "./dom.js";
import { formatSize, counted } from "./format.js";

const VIEWS = [
  ["map", "Map", "m"],
  ["table", "Table", "t"],
];

const HELP = [["p", "rows of the table: pairs or files"]];

const notes = (what) => [
  `A box is ${what} in a package; inside it, by whose files would be kept. ` +
    "Each file that would be replaced counts once.",
];

const DEFAULTS = { view: "map", at: -1, node: -1, by: "", query: "", theme: "", sort: "", filter: "", least: "" };

const CHOICES = { view: ["map", "table"], by: ["", "file"], theme: ["", "light", "dark"] };

class OptimiseApp extends Page {
  constructor(pairs) {
    const what = pairs.lower ? "the apparent size of what hard-linking would replace" : "what hard-linking would free";
    super({ views: VIEWS, help: HELP, notes: notes(what), selection: "node", label: "a treemap of what equal files cost" });
    this.pairs = pairs;
    const codec = this.codec();
    this.state = new State({ defaults: DEFAULTS, choices: CHOICES, codecs: { at: codec, node: codec } });
    this.map = new PairMap(pairs, this.shell);
    this.panel = new PairPanel(pairs, this);
    this.search = new Search(this, { names: pairs.columns.package });
    this.views = { table: new PairTable(pairs, this) };
    this.start();
  }

  // A package by its name, a pair by both names.
  codec() {
    const { columns } = this.pairs;
    const keys = new Map(columns.package.map((name, node) => [name, node]));
    const written = (node) => {
      const pair = this.pairs.pairOf(node);
      if (pair < 0) return columns.package[node] ?? "";
      return `${columns.package[columns.pair_package[pair]]}\n${this.pairs.kept(pair)}`;
    };
    for (let pair = 0; pair < this.pairs.pairs; pair++) keys.set(written(this.pairs.nodeOf(pair)), this.pairs.nodeOf(pair));
    return { write: written, read: (text) => keys.get(text) ?? -1 };
  }

  get root() {
    const { at } = this.state.now;
    return this.pairs.isPackage(at) && this.map.kids(at).length > 0 ? at : -1;
  }

  weight(node) {
    return this.pairs.weights[node];
  }

  select(node) {
    this.choose(node);
  }

  jump(node) {
    const at = this.map.up(node) === this.root ? this.root : -1;
    this.choose(node, { view: "map", at });
    this.announceNode(node);
    this.focusView();
  }

  // A node of the map, or a row of the table.
  announceNode(row) {
    const { table } = this.views;
    const node = this.state.now.view === "table" && row >= 0 ? this.pairs.nodeOf(table.pairOf(row)) : row;
    if (node >= 0) this.announce(`${this.pairs.title(node)}, ${this.pairs.said(this.weight(node))}`);
  }

  // ---- what is shown

  show(now, before) {
    const { facts } = this.pairs;
    const freed = this.pairs.lower ? `At most ${formatSize(facts.disk_freed_most)} would be freed` : this.pairs.said(this.pairs.freed);
    const parts = [freed, counted(facts.files_linked, "file")];
    this.showFrame(now, `Equal files in ${facts.title}`, `${parts.join(" by hard-linking ")} in ${counted(facts.paths, "path")}`);
    const { root } = this;
    this.showTrail(root < 0 ? [["All", -1]] : [["All", -1], [this.pairs.name(root), root]]);
    byId("bar").hidden = now.view !== "map";
    this.panel.show(now.node);
    this.showView(now, before);
    this.showLegend();
  }

  // The packages that are called so, and their pairs.
  marked(query) {
    const { kids, keptFor } = this.pairs;
    return this.search.matches(query).flatMap((node) => [node, ...(kids.get(node) ?? []), ...(keptFor.get(node) ?? [])]);
  }

  showLegend() {
    const { pairs } = this;
    const used = new Set();
    for (let pair = 0; pair < pairs.pairs; pair++) used.add(pairs.where(pair));
    const labels = { other: "Another package has them too", same: "One package has them more than once", links: "Only .links has them besides" };
    const entries = Object.entries(labels).map(([key, label]) => (used.has(key) ? this.legendEntry(COLORS[key], label) : null));
    const none = pairs.facts.files_linked > 0 ? "Linking these files would free nothing: their contents stay." : "No files are equal that are not linked already.";
    fill(this.shell.legend, pairs.tops.length > 0 ? entries : el("span", {}, none));
  }

  // ---- keys and pointers

  isSelectable(node) {
    return this.pairs.isPackage(node) || this.pairs.pairOf(node) >= 0;
  }

  clicked({ node, part }) {
    if (part !== WHOLE) {
      if (node === this.root || node < 0) this.state.set({ view: "table", by: "" });
      else this.enter(node);
    } else if (this.pairs.isPackage(node) && this.map.kids(node).length > 1 && node !== this.root) this.enter(node);
    else if (this.isSelectable(node)) this.select(node);
  }

  keys(now) {
    return { p: () => this.state.set({ view: "table", by: now.by === "" ? "file" : "" }) };
  }
}

openPage((data) => new OptimiseApp(new Pairs(data)));
