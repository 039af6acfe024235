// The side panel of what equal files cost: all of it, a package, or a pair.
import { Details } from "./details.js";
import { el, fill, sizeElement } from "./dom.js";
import { formatPart, counted } from "./format.js";

export class PairPanel extends Details {
  constructor(pairs, app) {
    super(pairs.facts, app, 12);
    this.pairs = pairs;
  }

  show(node) {
    if (node === this.node) return;
    this.node = node;
    this.open.clear();
    this.draw();
  }

  draw() {
    const pair = this.pairs.pairOf(this.node);
    if (pair >= 0) fill(this.element, this.ofPair(pair));
    else if (this.pairs.isPackage(this.node)) fill(this.element, this.ofPackage(this.node));
    else fill(this.element, this.overview());
  }

  link(node, label) {
    return el(
      "li",
      {},
      el("button", { class: "path", onclick: () => this.app.select(node) }, label),
      el("span", { class: "size" }, sizeElement(this.pairs.weights[node])),
    );
  }

  saving(pair) {
    const { columns, lower } = this.pairs;
    const freed = columns[this.facts.freed_key][pair];
    return el(
      "dl",
      { class: "sizes" },
      this.row(lower ? "Apparent size" : "Would be freed", sizeElement(freed), formatPart(freed, this.pairs.freed)),
      lower ? null : this.row("Apparent size", sizeElement(columns.apparent_freed[pair])),
      this.row("Files linked", this.count(columns.files_linked[pair])),
      lower ? null : this.row("Inodes freed", this.count(columns.inodes_freed[pair])),
    );
  }

  ofPair(pair) {
    const { pairs } = this;
    const { columns } = pairs;
    const of = columns.pair_package[pair];
    const kept = columns.pair_kept[pair];
    const name = columns.package[of];
    const what = {
      same: `Files that ${name} has more than once: in several builds or outputs, or in one.`,
      other: `Files of ${name} that ${pairs.kept(pair)} has too. Nix would keep those of ${pairs.kept(pair)}, as it meets them first.`,
      links: `Files of ${name} that only .links has besides.`,
    }[pairs.where(pair)];
    const file = (at) =>
      el("li", { title: columns.file[at] }, el("code", {}, pairs.fileName(at)), el("span", { class: "size" }, sizeElement(columns[`file_${this.facts.freed_key}`][at])));
    const button = (node) => el("button", { class: "action", onclick: () => this.app.select(node) }, `All of ${columns.package[node]}`);
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, pairs.title(pairs.nodeOf(pair)))),
      el("p", { class: "note" }, what),
      el("div", { class: "actions" }, button(of), pairs.where(pair) === "other" ? button(kept) : null),
      this.saving(pair),
      el("div", { class: "files" }, this.list("Files", pairs.filesOf(pair), file, {
        note: pairs.lower
          ? "One name of each group of equal files, and the apparent size of its copies that would be replaced."
          : "One name of each group of equal files, and what replacing its copies frees.",
        whole: () => this.app.state.set({ view: "table", by: "file", filter: name }),
      })),
    ];
  }

  ofPackage(node) {
    const { pairs } = this;
    const kids = (pairs.kids.get(node) ?? []).slice();
    const keeps = (pairs.keptFor.get(node) ?? []).slice();
    const heavy = (a, b) => pairs.weights[b] - pairs.weights[a] || a - b;
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, pairs.name(node))),
      el("dl", { class: "sizes" }, this.row(pairs.lower ? "Apparent size replaced in it" : "Would be freed in it", sizeElement(pairs.weights[node]), formatPart(pairs.weights[node], pairs.freed))),
      this.list("Its files are also in", kids.sort(heavy), (kid) => this.link(kid, pairs.name(kid)), {
        note: "Those would be kept, and its own replaced.",
      }),
      this.list("Its files would be kept for", keeps.sort(heavy), (pair) =>
        this.link(pair, pairs.columns.package[pairs.columns.pair_package[pairs.pairOf(pair)]]),
      ),
    ];
  }

  overview() {
    const { pairs, facts } = this;
    const { unnamed } = facts;
    const order = Array.from({ length: pairs.pairs }, (_, pair) => pair);
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, "What equal files cost"), el("code", { class: "full" }, facts.store_dir)),
      el(
        "dl",
        { class: "sizes" },
        pairs.lower ? this.row("The disk would gain at most", sizeElement(facts.disk_freed_most)) : this.row("The disk would gain", sizeElement(pairs.freed)),
        pairs.lower || pairs.freed === facts.disk_freed ? null : this.row("In blocks", sizeElement(facts.disk_freed)),
        this.row("Apparent size", sizeElement(facts.apparent_freed)),
        this.row("Files linked", this.count(facts.files_linked)),
        pairs.lower ? null : this.row("Inodes freed", this.count(facts.inodes_freed)),
        this.row("Already saved", sizeElement(facts.already_saved)),
      ),
      facts.line ? this.section(`As ${facts.nix} would report`, el("p", {}, facts.line)) : null,
      pairs.lower
        ? el("p", { class: "note" }, "What the disk would gain is not known: on an overlay files of lower layers are copied before they are linked. Pairs and files have their apparent sizes.")
        : null,
      facts.freed_physical_size === null && !pairs.lower
        ? el("p", { class: "note" }, "Sizes are in blocks: what the disk really gains, where files are compressed or share extents, is not known.")
        : null,
      facts.certain ? null : el("p", { class: "note" }, `${facts.nix} goes over several paths at once: which of equal files it keeps is by chance. This is by the order of the paths.`),
      unnamed.pairs + unnamed.files > 0 ? el("p", { class: "note" }, `${counted(unnamed.pairs, "smaller pair")} and ${counted(unnamed.files, "group")} of files have no names here.`) : null,
      this.list("Pairs", order, (pair) => this.link(pairs.nodeOf(pair), pairs.title(pairs.nodeOf(pair))), {
        whole: () => this.app.state.set({ view: "table", by: "" }),
      }),
      this.warnings(),
      el("p", { class: "note" }, "Each file that would be replaced counts in one pair: its own package, and the first that has the file that is kept. So the pairs add up to the whole."),
    ];
  }
}
