// Boxes in boxes: a treemap drawn on a canvas, of whatever has parts that weigh something.
// The layout is d3-hierarchy's squarified tiling, one box after the other, as deep as
// there is something to see. What the boxes stand for, say those that extend this.
import { mix, inkOn } from "./colors.js";
import { formatSize, counted } from "./format.js";
import { el, fill } from "./dom.js";

const HEADER = 18;
const GAP = 2;
// Boxes of less than so many square pixels are drawn as one.
const LEAST_AREA = 9;
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const BOLD = `600 ${FONT}`;
const ZOOM_MS = 260;

// What a box stands for: a node with all that is in it, the node's own part, or what is
// too small to be drawn by itself.
export const WHOLE = 0;
export const OWN = 1;
export const SMALL = 2;

// Texts, shortened to a width.
class Texts {
  constructor(context) {
    this.context = context;
    this.widths = new Map();
  }

  width(text, font) {
    const key = `${font}${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = font;
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }

  // The text, or as much of its beginning as fits; nothing if that is not worth it.
  fit(text, room, font) {
    if (this.width(text, font) <= room) return text;
    let [low, high] = [0, text.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.width(`${text.slice(0, middle)}…`, font) <= room) low = middle;
      else high = middle - 1;
    }
    return low >= 3 ? `${text.slice(0, low)}…` : "";
  }
}

// Who extends this says what there is: `kids(node)`, of all for -1, `up(node)`,
// `weight(node)`, `name(node)` and `lines(box)`; and where it is not as here,
// `own(node)`, `color(node)`, `notes(box)` and `decorate(context, box)`.
export class Tiles {
  constructor(shell) {
    this.shell = shell;
    this.canvas = shell.canvas;
    this.overlay = shell.overlay;
    this.texts = new Texts(document.createElement("canvas").getContext("2d"));
    this.boxes = [];
    this.paints = new Map();
    this.root = -1;
    this.hovered = null;
    this.marked = null;
    this.animation = 0;
  }

  // Lays out and draws `root`, a node, or -1 for all; `zoomFrom` is the node that was
  // drawn before. All of `shown` is kept here.
  show(shown) {
    const before = this.boxes;
    const { zoomFrom } = shown;
    const old = zoomFrom === undefined ? null : this.copy();
    Object.assign(this, shown);
    this.resize();
    this.layout();
    this.draw();
    if (old) this.zoom(old, before, zoomFrom);
    else this.drawOverlay();
  }

  resize() {
    const { width, height } = this.shell.frame.getBoundingClientRect();
    const scale = devicePixelRatio || 1;
    this.width = Math.max(1, Math.floor(width));
    this.height = Math.max(1, Math.floor(height));
    this.scale = scale;
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(this.width * scale);
      canvas.height = Math.round(this.height * scale);
      canvas.style.width = `${this.width}px`;
      canvas.style.height = `${this.height}px`;
    }
  }

  // What of a node's weight is in none of the nodes below it.
  own() {
    return 0;
  }

  layout() {
    this.boxes = [];
    const whole = { x0: 0, y0: 0, x1: this.width, y1: this.height };
    if (this.root >= 0) this.place(this.root, WHOLE, whole, 0, -1);
    else this.tile(-1, whole, 0, -1);
  }

  place(node, part, { x0, y0, x1, y1 }, depth, parent, count = 0) {
    const box = { node, part, x0, y0, x1, y1, depth, parent, count, inner: null };
    const at = this.boxes.push(box) - 1;
    if (part !== WHOLE || this.kids(node).length === 0) return;
    const [width, height] = [x1 - x0, y1 - y0];
    if (width < 12 || height < 12) return;
    const header = width > 44 && height > 40 ? HEADER : GAP;
    const inner = { x0: x0 + GAP, y0: y0 + header, x1: x1 - GAP, y1: y1 - GAP };
    box.inner = inner;
    this.tile(node, inner, depth + 1, at);
  }

  // Fills a rectangle with what is in a node: its own part and the nodes below it.
  tile(node, { x0, y0, x1, y1 }, depth, parent) {
    const kids = this.kids(node);
    let total = node >= 0 ? this.own(node) : 0;
    for (const kid of kids) total += this.weight(kid);
    const area = (x1 - x0) * (y1 - y0);
    if (total <= 0 || area < LEAST_AREA) return;
    const least = (LEAST_AREA / area) * total;
    const shown = [];
    let rest = total;
    let count = kids.length;
    const show = (of, part, value) => {
      if (value < least) return;
      shown.push({ node: of, part, value });
      rest -= value;
      if (part === WHOLE) count--;
    };
    for (const kid of kids) show(kid, WHOLE, this.weight(kid));
    if (node >= 0) show(node, OWN, this.own(node));
    shown.sort((a, b) => b.value - a.value || a.node - b.node);
    if (rest > 0) {
      shown.push({ node, part: SMALL, value: rest, count: Math.max(1, count) });
    }
    const rows = { value: total, children: shown };
    d3.treemapSquarify(rows, x0, y0, x1, y1);
    for (const tile of shown) {
      this.place(tile.node, tile.part, tile, depth, parent, tile.count);
    }
  }

  // The colour of a node; none for what is of no kind.
  color() {
    return "";
  }

  // What is written below a box's name, line by line; of a box with others inside only
  // the first, beside it.
  notes(box) {
    return [formatSize(this.weight(box.node))];
  }

  // Draws more on a box, above its colour and below its name.
  decorate() {}

  // How a box is filled; the same for all of one colour and depth.
  paint(box) {
    const color = box.part !== SMALL && box.node >= 0 ? this.color(box.node, box) : "";
    const key = `${this.theme.paper} ${color} ${box.part === SMALL} ${box.inner ? box.depth : ""}`;
    let paint = this.paints.get(key);
    if (!paint) {
      paint = this.mixed(box, color);
      this.paints.set(key, paint);
    }
    return paint;
  }

  mixed(box, color) {
    const { paper, ink, quiet } = this.theme;
    if (box.part === SMALL || box.node < 0) return { fill: mix(paper, ink, 0.1), ink: quiet };
    if (color === "") return { fill: mix(paper, ink, 0.14), ink };
    if (box.inner) {
      const tint = mix(paper, color, this.theme.dark ? 0.16 : 0.13);
      return { fill: mix(tint, ink, Math.min(0.02 * box.depth, 0.08)), ink };
    }
    const fill = mix(color, paper, this.theme.dark ? 0.25 : 0.2);
    return { fill, ink: inkOn(fill) };
  }

  title(box) {
    if (box.part === SMALL) return `${counted(box.count, "more part")}`;
    return this.name(box.node);
  }

  // What a box says to whoever points at it, line by line.
  describe(tip, box) {
    const small = () => [el("b", {}, `${counted(box.count, "part")} too small to draw`)];
    const lines = box.part === SMALL ? small() : this.lines(box);
    fill(tip, lines.map((line) => el("div", {}, line)));
  }

  draw() {
    const context = this.canvas.getContext("2d");
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.fillStyle = this.theme.paper;
    context.fillRect(0, 0, this.width, this.height);
    context.textBaseline = "alphabetic";
    for (const box of this.boxes) this.drawBox(context, box);
  }

  drawBox(context, box) {
    const [width, height] = [box.x1 - box.x0, box.y1 - box.y0];
    const gap = width > 6 && height > 6 ? 0.75 : 0.25;
    const { fill: color, ink } = this.paint(box);
    context.fillStyle = color;
    if (width < 12 || height < 12) {
      // Of these there may be many, and nobody sees their corners.
      context.fillRect(box.x0 + gap, box.y0 + gap, width - 2 * gap, height - 2 * gap);
      return;
    }
    const radius = Math.min(3, width / 6, height / 6);
    context.beginPath();
    context.roundRect(box.x0 + gap, box.y0 + gap, width - 2 * gap, height - 2 * gap, radius);
    context.fill();
    this.decorate(context, box);
    if (width < 40 || height < 16) return;
    if (box.inner && box.inner.y0 - box.y0 < HEADER) return;
    context.fillStyle = ink;
    const room = width - 12;
    const baseline = box.inner ? box.y0 + 13 : box.y0 + Math.min(17, height / 2 + 4);
    const font = box.inner ? BOLD : FONT;
    context.font = font;
    const text = this.texts.fit(this.title(box), room, font);
    if (text === "") return;
    context.fillText(text, box.x0 + 6, baseline);
    const notes = box.part === SMALL ? [] : this.notes(box);
    context.font = FONT;
    context.globalAlpha = 0.75;
    if (box.inner) {
      const width = this.texts.width(notes[0], FONT);
      if (this.texts.width(text, BOLD) + width + 18 <= room) context.fillText(notes[0], box.x1 - 6 - width, baseline);
    } else {
      this.drawNotes(context, notes, box, baseline);
    }
    context.globalAlpha = 1;
  }

  // A size that does not fit is left out, as a part of it would say another.
  drawNotes(context, [size, ...more], box, baseline) {
    const [room, below] = [box.x1 - box.x0 - 12, box.y1 - box.y0 - 36];
    if (size === undefined || below <= 0 || this.texts.width(size, FONT) > room) return;
    context.fillText(size, box.x0 + 6, baseline + 15);
    more.forEach((note, i) => {
      if (note !== "" && below > 15 * (i + 1)) context.fillText(this.texts.fit(note, room, FONT), box.x0 + 6, baseline + 15 * (i + 2));
    });
  }

  copy() {
    const copy = document.createElement("canvas");
    copy.width = this.canvas.width;
    copy.height = this.canvas.height;
    if (copy.width > 0 && copy.height > 0) copy.getContext("2d").drawImage(this.canvas, 0, 0);
    return copy;
  }

  // Moves from one picture to the other: the box that is entered grows, or the one that
  // is left shrinks back into its place.
  zoom(old, before, from) {
    cancelAnimationFrame(this.animation);
    const find = (boxes, node) => boxes.find((box) => box.node === node && box.part === WHOLE);
    const entered = find(before, this.root);
    const left = find(this.boxes, from);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (calm || (!entered && !left)) {
      this.drawOverlay();
      return;
    }
    const now = this.copy();
    const context = this.canvas.getContext("2d");
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height);
    const whole = { x0: 0, y0: 0, x1: this.width, y1: this.height };
    const between = (a, b, part) => a + (b - a) * part;
    // Where the inner picture is when the outer one shows `box` at `part` of the way.
    const paint = (inner, outer, box, part, alpha) => {
      const x0 = between(box.x0, whole.x0, part);
      const y0 = between(box.y0, whole.y0, part);
      const x1 = between(box.x1, whole.x1, part);
      const y1 = between(box.y1, whole.y1, part);
      const [sx, sy] = [(x1 - x0) / (box.x1 - box.x0), (y1 - y0) / (box.y1 - box.y0)];
      context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
      context.globalAlpha = 1;
      context.fillStyle = this.theme.paper;
      context.fillRect(0, 0, this.width, this.height);
      context.drawImage(outer, x0 - box.x0 * sx, y0 - box.y0 * sy, this.width * sx, this.height * sy);
      context.globalAlpha = alpha;
      context.drawImage(inner, x0, y0, x1 - x0, y1 - y0);
      context.globalAlpha = 1;
    };
    const start = performance.now();
    const step = (time) => {
      const part = Math.min(1, Math.max(0, (time - start) / ZOOM_MS));
      const eased = part < 0.5 ? 4 * part ** 3 : 1 - (-2 * part + 2) ** 3 / 2;
      if (entered) paint(now, old, entered, eased, eased);
      else paint(old, now, left, 1 - eased, 1 - eased);
      if (part < 1) {
        this.animation = requestAnimationFrame(step);
      } else {
        this.animation = 0;
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.drawImage(now, 0, 0);
        this.drawOverlay();
      }
    };
    this.animation = requestAnimationFrame(step);
  }

  // What is marked, selected and pointed at, above the picture.
  drawOverlay() {
    if (this.animation !== 0) return;
    const context = this.overlay.getContext("2d");
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const outline = (box, color, width) => {
      context.strokeStyle = color;
      context.lineWidth = width;
      const inset = width / 2;
      context.strokeRect(
        box.x0 + inset,
        box.y0 + inset,
        Math.max(1, box.x1 - box.x0 - width),
        Math.max(1, box.y1 - box.y0 - width),
      );
    };
    if (this.marked) {
      context.fillStyle = this.theme.paper;
      context.globalAlpha = 0.72;
      context.fillRect(0, 0, this.width, this.height);
      context.globalAlpha = 1;
      for (const box of this.boxes) {
        if (box.inner || box.part === SMALL || !this.marked.has(box.node)) continue;
        context.clearRect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
      }
      for (const box of this.boxes) {
        if (box.part === WHOLE && this.marked.has(box.node)) outline(box, this.theme.mark, 1.5);
      }
    }
    const selected = this.boxes.find((box) => box.node === this.selected && box.part === WHOLE)
      ?? this.boxes.find((box) => box.node === this.selected && box.part === OWN);
    if (selected) outline(selected, this.theme.ink, 2.5);
    if (this.hovered) outline(this.hovered, this.theme.accent, 2);
  }

  // The innermost box at a place.
  at(x, y) {
    for (let i = this.boxes.length - 1; i >= 0; i--) {
      const box = this.boxes[i];
      if (x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1) return box;
    }
    return null;
  }

  hover(box) {
    if (box === this.hovered) return;
    this.hovered = box;
    this.drawOverlay();
  }

  // The box of a node's neighbour, for the arrow keys: next or previous by size.
  sibling(node, step) {
    const up = node < 0 ? -2 : this.up(node);
    if (up === -2) return node;
    const row = this.kids(up).slice();
    row.sort((a, b) => this.weight(b) - this.weight(a) || a - b);
    return row[(row.indexOf(node) + step + row.length) % row.length];
  }
}
