// The map of what equal files cost: of each package what its copies take, and inside that
// whose files would be kept in their place.
import { Tiles, SMALL } from "./tiles.js";
import { counted } from "./format.js";
import { el } from "./dom.js";

export const COLORS = { other: "#0072b2", same: "#56b4e9", links: "#e69f00" };

export class PairMap extends Tiles {
  constructor(pairs, shell) {
    super(shell);
    this.pairs = pairs;
  }

  weight(node) {
    return this.pairs.weights[node];
  }

  kids(node) {
    if (node < 0) return this.pairs.tops;
    return (this.pairs.kids.get(node) ?? []).filter((kid) => this.weight(kid) > 0);
  }

  up(node) {
    const pair = this.pairs.pairOf(node);
    if (pair >= 0) return this.pairs.columns.pair_package[pair];
    return this.weight(node) > 0 ? -1 : -2;
  }

  name(node) {
    return this.pairs.name(node);
  }

  title(box) {
    const pair = box.part === SMALL ? -1 : this.pairs.pairOf(box.node);
    if (pair < 0) return super.title(box);
    return this.pairs.where(pair) === "same" ? "more than once" : `as in ${this.pairs.kept(pair)}`;
  }

  // A package has the colour of most of it.
  color(node) {
    const pair = this.pairs.pairOf(node);
    if (pair >= 0) return COLORS[this.pairs.where(pair)];
    const kids = this.kids(node);
    if (kids.length === 0) return "";
    return this.color(kids.reduce((a, b) => (this.weight(b) > this.weight(a) ? b : a)));
  }

  lines({ node }) {
    const { pairs } = this;
    const pair = pairs.pairOf(node);
    return [
      el("b", {}, pairs.title(node)),
      ...(pair >= 0 ? [counted(pairs.columns.files_linked[pair], "file")] : []),
      pairs.said(this.weight(node)),
    ];
  }
}
