// The graph, where one helps: a path in the middle, who refers to it on the left, what it
// refers to on the right, two levels each; or all ways from the targets to it. The heavy
// come first, the rest is folded. Areas are sizes. Bold references hold alone: cutting
// one frees what is written at it.
import { el, svg, fill, byId } from "./dom.js";
import { formatSize, formatCount, counted } from "./format.js";
import { mix } from "./colors.js";

const LARGEST = 22;
const SMALLEST = 2.5;
const PITCH = 25;
const MORE = 30;
const FACES = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const NAME_FONT = `13px ${FACES}`;
const BOLD_NAME_FONT = `600 ${NAME_FONT}`;
const SMALL_FONT = `12px ${FACES}`;

export class Network {
  constructor(census, app) {
    this.census = census;
    this.app = app;
    this.element = byId("graph");
    // How many more than at first are shown of each column.
    this.opened = new Map();
    this.nodes = new Map();
    this.camera = { x: 0, y: 0, k: 1 };
    this.build();
  }

  build() {
    this.edges = svg("g", { class: "edges" });
    this.labels = svg("g", { class: "labels" });
    this.dots = svg("g", { class: "dots" });
    this.world = svg("g", { class: "world" }, this.edges, this.dots, this.labels);
    this.svg = svg("svg", { role: "group", "aria-label": "Graph" }, this.world);
    this.caption = el("p", { class: "caption" });
    this.modes = el("div", { class: "choice", role: "group", "aria-label": "What is drawn" });
    fill(this.element, el("div", { class: "toolbar" }, this.modes, this.caption), this.svg);
    let drag = null;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".node, .edge, .free")) return;
      drag = { x: event.clientX - this.camera.x, y: event.clientY - this.camera.y };
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!drag) return;
      this.camera.x = event.clientX - drag.x;
      this.camera.y = event.clientY - drag.y;
      this.look();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.svg.addEventListener(end, () => {
        drag = null;
      });
    }
    this.svg.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const { left, top } = this.svg.getBoundingClientRect();
        const [x, y] = [event.clientX - left, event.clientY - top];
        const k = Math.min(4, Math.max(0.3, this.camera.k * 2 ** (-event.deltaY / 400)));
        this.camera.x = x - ((x - this.camera.x) * k) / this.camera.k;
        this.camera.y = y - ((y - this.camera.y) * k) / this.camera.k;
        this.camera.k = k;
        this.look();
      },
      { passive: false },
    );
    new ResizeObserver(() => this.element.hidden || this.draw()).observe(this.element);
  }

  look() {
    const { x, y, k } = this.camera;
    this.world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
  }

  focus() {
    const middle = this.nodes.get(this.middle);
    (middle ?? this.svg).focus({ preventScroll: true });
  }

  show(now) {
    const state = this.app.left;
    this.state = state;
    const fallback = this.app.root >= 0 ? this.app.root : (state.tops.find((top) => this.census.isPath(top)) ?? 0);
    const middle = now.path >= 0 ? now.path : fallback;
    if (middle !== this.middle || now.ways !== this.ways) {
      this.opened.clear();
      this.camera = { x: 0, y: 0, k: 1 };
    }
    this.middle = middle;
    this.ways = now.ways;
    fill(
      this.modes,
      [
        [false, "Around it"],
        [true, "All ways to it"],
      ].map(([ways, label]) =>
        el("button", { "aria-pressed": String(ways === now.ways), onclick: () => this.app.state.set({ ways }) }, label),
      ),
    );
    this.draw();
  }

  // References as they were: what is cut is drawn too, as gone.
  references(node) {
    return this.only(this.census.row(this.census.rows, node), node);
  }

  referrers(node) {
    return this.only(this.census.referrers(this.census.original, node), node);
  }

  only(row, node) {
    return [...row].filter((other) => other !== node && this.census.isPath(other));
  }

  weight(node) {
    return this.app.weight(node) || 0;
  }

  heavyFirst(nodes) {
    return nodes.sort((a, b) => this.weight(b) - this.weight(a) || a - b);
  }

  // The columns to draw, each with its nodes and how many are folded.
  columns(narrow) {
    return this.ways ? this.waysTo(narrow) : this.around(narrow);
  }

  around(narrow) {
    const seen = new Set([this.middle]);
    const column = (level, nodes, most) => {
      const fresh = this.heavyFirst([...new Set(nodes)].filter((node) => !seen.has(node)));
      const shown = fresh.slice(0, most + (this.opened.get(level) ?? 0));
      shown.forEach((node) => seen.add(node));
      return { level, nodes: shown, more: fresh.length - shown.length };
    };
    const right = column(1, this.references(this.middle), 12);
    const left = column(-1, this.referrers(this.middle), 12);
    const columns = [left, { level: 0, nodes: [this.middle], more: 0 }, right];
    if (!narrow) {
      const farRight = right.nodes.flatMap((node) => this.references(node));
      const farLeft = left.nodes.flatMap((node) => this.referrers(node));
      columns.push(column(2, farRight, 10));
      columns.unshift(column(-2, farLeft, 10));
    }
    return columns.filter(({ nodes }) => nodes.length > 0);
  }

  // All that is on a way from the targets, by how far it is from the path at the end;
  // first of each column what the path cannot be reached without.
  waysTo(narrow) {
    const keeps = new Set();
    for (let at = this.middle; at >= 0; at = this.census.original.above[at]) keeps.add(at);
    const chain = new Set(this.census.chain(this.census.original, this.middle));
    const columns = [];
    const seen = new Set([this.middle]);
    let front = [this.middle];
    for (let level = 0; front.length > 0; level--) {
      const rank = (node) => (keeps.has(node) ? 2 : chain.has(node) ? 1 : 0);
      front.sort((a, b) => rank(b) - rank(a) || this.weight(b) - this.weight(a) || a - b);
      const most = (narrow ? 6 : 9) + (this.opened.get(level) ?? 0);
      const nodes = front.slice(0, most);
      columns.unshift({ level, nodes, more: front.length - nodes.length });
      const next = new Set();
      for (const node of front) {
        for (const from of this.referrers(node)) if (!seen.has(from)) next.add(from);
      }
      next.forEach((node) => seen.add(node));
      front = [...next];
    }
    return columns;
  }

  draw() {
    if (!this.state || this.element.hidden) return;
    // First, as it may take room from the picture.
    this.caption.textContent = this.sentence();
    const { width, height } = this.svg.getBoundingClientRect();
    if (width === 0) return;
    const narrow = width < 620;
    const columns = this.columns(narrow);
    const all = columns.flatMap(({ nodes }) => nodes);
    const largest = Math.max(1, ...all.map((node) => this.weight(node)));
    const radius = (node) => Math.max(SMALLEST, LARGEST * Math.sqrt(this.weight(node) / largest));
    const least = narrow ? 118 : 150;
    const gap = Math.max(least, (width - 40) / columns.length);
    const place = new Map();
    columns.forEach((column, i) => {
      column.x = 20 + LARGEST + i * gap;
      column.room = narrow ? gap - 12 : gap - 2 * LARGEST - 8;
    });
    const layAll = () => {
      for (const column of columns) {
        const tall = column.nodes.map((node) => Math.max(PITCH, 2 * radius(node) + 8) + (narrow ? 18 : 0));
        column.tall = tall.reduce((sum, one) => sum + one, 0) + (column.more > 0 ? MORE : 0);
        let y = Math.max(24, (height - column.tall) / 2);
        column.nodes.forEach((node, k) => {
          const middle = y + (tall[k] - (narrow ? 18 : 0)) / 2;
          place.set(node, { x: column.x, y: middle, r: radius(node), room: column.room, level: column.level, below: narrow });
          y += tall[k];
        });
        column.end = y;
      }
    };
    layAll();
    // Far columns in the order of what they hang on, so that lines cross less.
    if (!this.ways) {
      for (const column of columns.filter(({ level }) => Math.abs(level) === 2)) {
        const row = (node) => (column.level > 0 ? this.referrers(node) : this.references(node));
        const middle = (node) => {
          const ys = row(node).filter((other) => place.get(other)?.level === Math.sign(column.level)).map((other) => place.get(other).y);
          return ys.reduce((sum, y) => sum + y, 0) / Math.max(1, ys.length);
        };
        const order = new Map(column.nodes.map((node) => [node, middle(node)]));
        column.nodes.sort((a, b) => order.get(a) - order.get(b) || this.weight(b) - this.weight(a));
      }
      layAll();
    }
    this.place = place;
    this.drawNodes(place);
    this.drawEdges(place);
    this.drawMore(columns);
    // What does not fit is looked at as a whole first.
    const tall = Math.max(...columns.map(({ tall }) => tall)) + 48;
    const wide = 40 + columns.length * gap;
    if (this.camera.k === 1 && this.camera.x === 0 && this.camera.y === 0 && (tall > height || wide > width)) {
      const k = Math.max(0.45, Math.min(1, height / tall, width / wide));
      const middle = place.get(this.middle);
      const x = Math.min(0, Math.max(width - wide * k, width / 2 - middle.x * k));
      this.camera = { x, y: tall * k > height ? height / 2 - middle.y * k : 0, k };
    }
    this.look();
  }

  sentence() {
    const name = this.app.paths.label(this.middle);
    if (this.ways) return `From the targets to ${name}, left to right`;
    const before = this.referrers(this.middle);
    const holds = before.length === 1 ? "and holds it alone" : "one of them holds it alone";
    const alone = before.some((from) => this.app.alone(from, this.middle));
    return (
      `${counted(before.length, "path refers", "paths refer")} to ${name}${alone ? `, ${holds}` : ""}; ` +
      `it refers to ${counted(this.references(this.middle).length, "path")}`
    );
  }

  pairs(place) {
    const pairs = [];
    for (const [from, a] of place) {
      for (const to of this.references(from)) {
        const b = place.get(to);
        if (b && (this.ways ? b.x > a.x : b.level === a.level + 1)) pairs.push([from, to, a, b]);
      }
    }
    return pairs;
  }

  drawEdges(place) {
    const lines = [];
    const labels = [];
    for (const [from, to, a, b] of this.pairs(place)) {
      const cut = this.app.hasChange({ action: "cut", path: from, other: to });
      const gone = cut || this.state.above[from] === -2 || this.state.above[to] === -2 || this.app.isRemoved(to);
      const alone = !gone && this.app.alone(from, to);
      // Past the name, so that no line crosses it.
      const [x0, x1] = [a.x + a.r + 12 + a.text, b.x - b.r - 2];
      const middle = (x0 + x1) / 2;
      const d = `M${x0} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${x1} ${b.y}`;
      const kind = gone ? "gone" : alone ? "alone" : "";
      const near = from === this.middle || to === this.middle ? "near" : "";
      const cutIt = () => this.app.toggleChange({ action: "cut", path: from, other: to });
      const names = this.census.columns.name;
      const title = `${names[from]} refers to ${names[to]}${alone ? `; cutting it frees ${this.freed(to)}` : ""}${cut ? " (cut; click to restore)" : " (click to cut)"}`;
      lines.push(svg("g", { class: `edge ${kind} ${near}`, onclick: cutIt }, svg("path", { class: "hit", d }), svg("path", { class: "line", d }), svg("title", {}, title)));
      if (alone) {
        const text = `−${this.freed(to)}`;
        const room = x1 - x0 > this.app.map.texts.width(text, SMALL_FONT) + 12;
        const at = room ? { x: x1 - 5, y: b.y - 5, "text-anchor": "end" } : { x: b.x, y: b.y - b.r - 5, "text-anchor": "middle" };
        labels.push(svg("text", { class: "free", ...at, onclick: cutIt }, text));
      }
    }
    this.edges.replaceChildren(...lines);
    this.labels.replaceChildren(...labels);
  }

  freed(to) {
    return formatSize(this.census.retainedSize(this.state, this.app.size, to));
  }

  drawNodes(place) {
    for (const [node, group] of this.nodes) {
      if (!place.has(node)) {
        group.remove();
        this.nodes.delete(node);
      }
    }
    const theme = this.app.theme();
    const names = this.census.columns.name;
    for (const [node, { x, y, r, room, below }] of place) {
      let group = this.nodes.get(node);
      if (!group) {
        group = svg(
          "g",
          {
            tabindex: "0",
            role: "button",
            dataset: { path: node },
            onclick: () => this.walk(node),
            onfocus: () => this.app.announceNode(node),
          },
          svg("circle"),
          svg("text", { class: "name", dy: "0.32em" }),
          svg("text", { class: "weight", dy: "1.5em" }),
          svg("title"),
        );
        this.nodes.set(node, group);
      }
      this.dots.append(group);
      const gone = this.state.above[node] === -2 || this.app.isRemoved(node);
      group.setAttribute("class", `node${node === this.middle ? " middle" : ""}${gone ? " gone" : ""}`);
      group.setAttribute("aria-label", `${names[node]}, ${formatSize(this.app.weight(node))}${gone ? ", gone" : ""}`);
      group.style.transform = `translate(${x}px, ${y}px)`;
      const [circle, name, weight, title] = group.children;
      circle.setAttribute("r", r);
      const color = this.app.coloring.color(node);
      circle.style.fill = gone ? "none" : mix(color, theme.paper, theme.dark ? 0.15 : 0.1);
      circle.style.stroke = color;
      const texts = this.app.map.texts;
      const font = node === this.middle ? BOLD_NAME_FONT : NAME_FONT;
      name.textContent = texts.fit(names[node], room, font);
      const big = r > 11 || node === this.middle;
      name.setAttribute("dy", big && !below ? "-0.15em" : "0.32em");
      weight.textContent = big && !below ? formatSize(this.app.weight(node)) : "";
      weight.setAttribute("dy", "1.1em");
      name.setAttribute("y", below ? r + 10 : 0);
      place.get(node).text = below ? -10 : Math.max(texts.width(name.textContent, font), texts.width(weight.textContent, NAME_FONT));
      for (const text of [name, weight]) text.setAttribute("x", below ? -r : r + 6);
      title.textContent = `${this.app.paths.full(node)}\n${formatSize(this.app.weight(node))}, retains ${this.freed(node)}`;
    }
  }

  drawMore(columns) {
    for (const { level, more, x, end } of columns) {
      if (more <= 0) continue;
      const open = () => {
        this.opened.set(level, (this.opened.get(level) ?? 0) + 20);
        this.draw();
      };
      this.labels.append(
        svg(
          "g",
          { class: "free", tabindex: "0", role: "button", onclick: open, onkeydown: (event) => event.key === "Enter" && open() },
          svg("text", { class: "more", x: x - 4, y: end + 18 }, `${formatCount(more)} more`),
        ),
      );
    }
  }

  // Moves a path to the middle.
  walk(node) {
    if (node === this.middle && !this.ways) return;
    this.app.state.set({ path: node, ways: false });
    this.app.announceNode(node);
    this.focus();
  }

  // The path that keys mean: the one with the focus, else the middle.
  get target() {
    const group = document.activeElement?.closest?.(".node");
    return group && this.element.contains(group) ? Number(group.dataset.path) : this.middle;
  }

  key(event) {
    const from = this.target;
    const here = this.place?.get(from);
    if (!here) return;
    const others = [...this.place].filter(([node]) => node !== from);
    const best = (fits, distance) =>
      others.filter(([, p]) => fits(p)).sort(([, a], [, b]) => distance(a) - distance(b))[0]?.[0];
    const down = (p) => Math.abs(p.y - here.y);
    const aside = (p) => Math.abs(p.x - here.x) * 10 + Math.abs(p.y - here.y);
    const to = {
      ArrowUp: () => best((p) => p.x === here.x && p.y < here.y, down),
      ArrowDown: () => best((p) => p.x === here.x && p.y > here.y, down),
      ArrowLeft: () => best((p) => p.x < here.x, aside),
      ArrowRight: () => best((p) => p.x > here.x, aside),
    }[event.key];
    if (to) {
      const next = to();
      if (next !== undefined) this.nodes.get(next).focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === " ") {
      this.walk(from);
    } else if (event.key === "k" && from !== this.middle) {
      const forward = this.references(this.middle).includes(from);
      const [path, other] = forward ? [this.middle, from] : [from, this.middle];
      if (this.references(path).includes(other)) this.app.toggleChange({ action: "cut", path, other });
    } else if (event.key === "w") {
      this.app.state.set({ ways: !this.ways });
    } else {
      return;
    }
    event.preventDefault();
  }
}
