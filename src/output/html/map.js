// The map: a treemap of the dominator tree. What lies inside a box goes when the box
// goes.
import { Tiles, WHOLE, OWN } from "./tiles.js";
import { formatSize, formatPart, counted } from "./format.js";
import { el } from "./dom.js";

// Behind a size, which it is.
export const LABELS = { physical: "physical", disk: "on disk", nar: "NAR" };

export class TreeMap extends Tiles {
  constructor(census, shell) {
    super(shell);
    this.census = census;
  }

  weight(node) {
    return this.state.retained[this.size][node];
  }

  own(node) {
    return this.census.own[this.size][node];
  }

  kids(node) {
    return (node < 0 ? this.state.tops : this.state.children.get(node)) ?? [];
  }

  // -1 for what all is in, -2 of what is gone.
  up(node) {
    return this.state.above[node];
  }

  color(node) {
    return this.census.isPath(node) ? this.coloring.color(node) : "";
  }

  name(node) {
    const { census } = this;
    if (census.isPath(node)) return census.columns.name[node];
    if (!census.isClass(node)) return counted(census.pathsOf[node], "small path");
    const [first, ...more] = this.owners(node);
    if (first === undefined) return this.shared.toLowerCase();
    return `${first} + ${more.length} ${this.census.physical ? "shared" : "linked"}`;
  }

  // What classes are of.
  get shared() {
    return this.census.physical ? "Hard-linked files and shared extents" : "Hard-linked files";
  }

  // The names of the paths that have the inodes of a class.
  owners(node) {
    const { census, state } = this;
    return [...census.referrers(state, node)].map((owner) => this.name(owner)).sort();
  }

  notes(box) {
    return [formatSize(this.value(box))];
  }

  // The size that is written in a box; not known where part of it is not.
  value(box) {
    if (box.part === OWN) return this.size === "nar" ? this.census.nar[box.node] : this.own(box.node);
    return this.retained(box.node);
  }

  retained(node) {
    return this.census.retainedSize(this.state, this.size, node);
  }

  decorate(context, box) {
    if (this.census.isClass(box.node) && box.part === WHOLE) this.hatch(context, box);
  }

  // What several paths have names of is hatched.
  hatch(context, box) {
    context.save();
    context.beginPath();
    context.rect(box.x0 + 1, box.y0 + 1, box.x1 - box.x0 - 2, box.y1 - box.y0 - 2);
    context.clip();
    context.strokeStyle = this.theme.paper;
    context.globalAlpha = 0.7;
    context.lineWidth = 1;
    context.beginPath();
    const height = box.y1 - box.y0;
    for (let x = box.x0 - height; x < box.x1; x += 6) {
      context.moveTo(x, box.y1);
      context.lineTo(x + height, box.y0);
    }
    context.stroke();
    context.restore();
  }

  lines(box) {
    const { census, state, size } = this;
    if (!census.isClass(box.node)) {
      const part = formatPart(this.retained(box.node), state.total[size]);
      const kind = LABELS[size];
      return [
        el("b", {}, this.name(box.node)),
        `${formatSize(this.value({ ...box, part: OWN }))} ${kind} itself`,
        `${formatSize(this.retained(box.node))} with all that only it keeps, ${part}`,
      ];
    }
    const owners = this.owners(box.node);
    return [
      el("b", {}, this.shared),
      `${formatSize(this.weight(box.node))} that ${counted(owners.length, "path has", "paths have")}:`,
      ...owners.slice(0, 6),
      ...(owners.length > 6 ? [`${owners.length - 6} more`] : []),
    ];
  }
}
