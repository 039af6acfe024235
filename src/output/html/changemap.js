// The map of a difference: two treemaps in one. By the change, what grew lies beside what
// shrank; by the paths, what came beside what went; as a whole, each package is as large as
// it was or is, and the part that came or went is coloured.
import { Tiles, WHOLE } from "./tiles.js";
import { mix } from "./colors.js";
import { formatSize, formatChange, counted } from "./format.js";
import { el } from "./dom.js";

export const COLORS = { added: "#d6452b", grew: "#ee9a80", removed: "#009e73", shrank: "#7accb2", as: "#9fb6d0" };

export class ChangeMap extends Tiles {
  constructor(changes, shell) {
    super(shell);
    this.changes = changes;
  }

  weight(node) {
    return this.tree.weights[node];
  }

  kids(node) {
    return (node < 0 ? this.tree.tops : this.tree.kids.get(node)) ?? [];
  }

  up(node) {
    return this.tree.above[node];
  }

  name(node) {
    return this.changes.name(node);
  }

  // The package of a node; -1 for regions.
  packageOf(node) {
    const path = this.changes.pathOf(node);
    if (path >= 0) return this.changes.columns.package_of[path];
    return this.changes.isPackage(node) ? node : -1;
  }

  // What grew is red, what shrank is green; darker if it was or is not there at all.
  color(node) {
    const { changes, size, area } = this;
    const way = changes.way(size, node);
    if (area === "whole" && changes.isSame(node)) return "";
    if (way === 0) return COLORS.as;
    const kind = changes.kind(this.packageOf(node));
    if (kind === "added" || kind === "removed") return COLORS[kind];
    if (area === "whole") return COLORS.as;
    return way > 0 ? COLORS.grew : COLORS.shrank;
  }

  notes(box) {
    const { changes, size, area } = this;
    const { node } = box;
    const way = area === "whole" ? 0 : changes.way(size, node);
    const weight = this.weight(node);
    const first = way === 0 ? formatSize(weight) : formatChange(way * weight);
    return changes.isPackage(node) ? [first, changes.columns.versions[node]] : [first];
  }

  // The part of a package that came or went, from its right edge.
  decorate(context, box) {
    const { changes, size, area, theme } = this;
    if (area !== "whole" || box.part !== WHOLE || !changes.isPackage(box.node)) return;
    if (this.color(box.node) !== COLORS.as) return;
    const change = changes.change(size, box.node);
    const part = Math.abs(change) / this.weight(box.node) || 0;
    const [left, width] = [box.x0 + 0.75, box.x1 - box.x0 - 1.5];
    context.fillStyle = mix(change > 0 ? COLORS.grew : COLORS.shrank, theme.paper, theme.dark ? 0.25 : 0.1);
    context.fillRect(left + width * (1 - part), box.y0 + 0.75, width * part, box.y1 - box.y0 - 1.5);
  }

  lines(box) {
    const node = this.packageOf(box.node);
    return [
      el("b", {}, this.name(box.node)),
      ...(this.changes.pathOf(box.node) >= 0 ? [this.notes(box)[0]] : []),
      ...(node >= 0 ? this.packageLines(node) : this.regionLines(box.node)),
    ];
  }

  packageLines(node) {
    const { changes, size } = this;
    const { package: names, versions: all } = changes.columns;
    const versions = all[node];
    const [before, after] = [changes.before(size, node), changes.after(size, node)];
    return [
      `${names[node]}: ${changes.kind(node)}${versions === "" ? "" : `, ${versions}`}`,
      `${formatSize(before)} → ${formatSize(after)}, ${formatChange(after - before)}`,
    ];
  }

  regionLines(node) {
    const { changes } = this;
    if (changes.isSame(node)) {
      const { packages } = changes.facts.same;
      return [`${counted(packages, "package")} with the same paths on both sides`, formatSize(this.weight(node))];
    }
    const kids = this.kids(node).length;
    const what = this.area === "paths" ? "path" : "package";
    return kids > 0 ? [counted(kids, what), this.notes({ node })[0]] : this.notes({ node });
  }
}
