// The page: what is shown where, and what keys and clicks do.
import { inflate, readIsland } from "./data.js";
import { Census } from "./graph.js";
import { State, CHOICES } from "./state.js";
import { TreeMap } from "./map.js";
import { Panel } from "./panel.js";
import { Search } from "./search.js";
import { Table } from "./table.js";
import { Network } from "./network.js";
import { coloring } from "./colors.js";
import { el, fill, byId, copyText } from "./dom.js";
import { formatSize, formatCount, formatDay, counted } from "./format.js";

const VIEWS = [
  ["map", "Map", "m"],
  ["table", "Table", "t"],
  ["graph", "Graph", "g"],
];

const KEYS = [
  ["/", "search"],
  ["m  t  g", "map, table, graph"],
  ["← →", "next and previous by size"],
  ["Enter ↓", "into a box"],
  ["Esc ↑", "out of it"],
  ["Home", "all of it"],
  ["Space", "select a row of the table"],
  ["x", "remove what is selected, or restore it"],
  ["k", "in the graph: cut the reference to or from the middle"],
  ["w", "in the graph: all ways to the middle"],
  ["u", "undo the last change"],
  ["s", "sizes: disk or NAR"],
  ["c", "colours: contents, package, age"],
  ["d", "dark or light"],
  ["Alt ←", "back"],
  ["?", "these keys"],
];

class App {
  constructor(census) {
    this.census = census;
    const ids = ["map", "canvas", "overlay", "panel", "search", "results", "trail", "legend", "controls"];
    this.shell = Object.fromEntries(ids.map((id) => [id, byId(id)]));
    this.shell.frame = this.shell.map;
    this.state = new State(census);
    this.reckoned = { key: "[]", state: census.original };
    this.map = new TreeMap(census, this.shell);
    this.panel = new Panel(census, this);
    this.search = new Search(census, this);
    this.views = { table: new Table(census, this), graph: new Network(census, this) };
    this.fileStarts = this.startsOfFiles();
    this.state.listen((now, before) => this.show(now, before));
    this.listen();
    this.search.input.value = this.state.now.query;
    this.show(this.state.now, null);
  }

  // ---- what is known

  get size() {
    const asked = this.state.now.size;
    return asked === "nar" || !this.census.disk ? "nar" : "disk";
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
    return this.size === "disk" ? (this.census.columns.disk_size?.[path] ?? NaN) : this.census.nar[path];
  }

  fullPath(path) {
    const { hash_part: hashes, name: names } = this.census.columns;
    return `${this.census.facts.store_dir}/${hashes[path]}-${names[path]}`;
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
    this.announcePath(path);
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

  // The name of a path; where another is called the same, with the beginning of its hash.
  label(path) {
    const { hash_part: hashes, name: names } = this.census.columns;
    return this.timesNamed(names[path]) === 1 ? names[path] : `${hashes[path].slice(0, 7)}-${names[path]}`;
  }

  timesNamed(name) {
    if (!this.named) {
      this.named = new Map();
      for (const one of this.census.columns.name) this.named.set(one, (this.named.get(one) ?? 0) + 1);
    }
    return this.named.get(name);
  }

  sentence({ action, path, other }) {
    if (action === "remove") return `Without ${this.label(path)}`;
    if (action === "cut") return `${this.label(path)} without ${this.label(other)}`;
    return `${this.label(other)} in place of ${this.label(path)}`;
  }

  // Whether a reference holds its end alone, now.
  alone(from, to) {
    const state = this.left;
    return state.above[to] !== -2 && state.above[from] !== -2 && this.census.holdsAlone(state, from, to);
  }

  // A name that `what-if` takes for one path: as the program's suggestions have it.
  handle(path) {
    const { hash_part: hashes, name: names } = this.census.columns;
    const plain = /^[A-Za-z0-9+_][A-Za-z0-9+._-]*$/.test(names[path]) && this.census.groups === 0;
    return plain && this.timesNamed(names[path]) === 1 ? names[path] : hashes[path];
  }

  get command() {
    const quoted = (text) => (/^[A-Za-z0-9+._/:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const words = this.census.facts.command.map(quoted);
    for (const { action, path, other } of this.state.now.changes) {
      if (action === "remove") words.push("--remove", this.handle(path));
      else if (action === "cut") words.push("--cut", `${this.handle(path)}:${this.handle(other)}`);
      else words.push("--replace", `${this.handle(path)}=${this.handle(other)}`);
    }
    return words.join(" ");
  }

  async copy(text, said) {
    this.announce((await copyText(text)) ? said : "It could not be copied");
    this.copied = text;
  }

  announce(text) {
    byId("live").textContent = text;
  }

  announcePath(path) {
    if (path < 0) return;
    const retained = this.census.retainedSize(this.left, this.size, path);
    this.announce(`${this.map.name(path)}, ${formatSize(this.weight(path))}, retains ${formatSize(retained)}`);
  }

  focusView() {
    if (this.state.now.view === "map") this.shell.overlay.focus({ preventScroll: true });
    else this.views[this.state.now.view]?.focus();
  }

  // ---- what is shown

  get dark() {
    const { theme } = this.state.now;
    return theme === "" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  }

  theme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      dark: this.dark,
      paper: color("paper"),
      ink: color("ink"),
      quiet: color("quiet"),
      accent: color("accent"),
      mark: color("mark"),
    };
  }

  show(now, before) {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    const state = this.left;
    const { input } = this.search;
    if (input.value !== now.query && document.activeElement !== input) input.value = now.query;
    const wanted = `${now.color} ${this.size}`;
    if (this.colored !== wanted) {
      this.colored = wanted;
      this.coloring = coloring(this.census, now.color, (path) => this.weight(path));
    }
    this.showTop(now, state);
    this.showTrail();
    this.showControls(now);
    this.showLegend(now);
    this.showChanges(now, state);
    this.panel.show(now.path, state);
    for (const [view] of VIEWS) byId(view).hidden = view !== now.view;
    byId("bar").hidden = now.view !== "map" && !this.census.disk;
    byId("trail").classList.toggle("off", now.view !== "map");
    if (now.view === "map") {
      const root = this.root;
      const moved = before && before.view === "map" && this.drawn !== undefined && this.drawn !== root;
      this.drawMap(now, moved ? this.drawn : undefined);
    }
    this.views[now.view]?.show(now, state, before);
    if (before && before.path !== now.path) this.shell.panel.scrollTop = 0;
  }

  drawMap(now, zoomFrom) {
    const marked = now.query.trim() === "" ? null : new Set(this.search.matches(now.query));
    this.drawn = this.root;
    this.map.show({
      root: this.drawn,
      state: this.left,
      size: this.size,
      coloring: this.coloring,
      theme: this.theme(),
      selected: now.path,
      marked,
      zoomFrom,
    });
  }

  showTop(now, state) {
    const { facts } = this.census;
    byId("heading").querySelector("h1").textContent = facts.title;
    const parts = [counted(state.total.paths, "path")];
    if (this.census.disk) parts.push(`${formatSize(state.total.disk)} on disk`);
    parts.push(`${formatSize(state.total.nar)} NAR`);
    byId("summary").textContent = parts.join(" · ");
    fill(
      byId("views"),
      VIEWS.map(([view, label, key]) =>
        el(
          "button",
          {
            "aria-pressed": String(view === now.view),
            "aria-keyshortcuts": key,
            title: `${label} (${key})`,
            onclick: () => this.state.set({ view }),
          },
          label,
        ),
      ),
    );
    fill(
      byId("tools"),
      el(
        "button",
        { title: "Dark or light (d)", "aria-label": "Dark or light", "aria-keyshortcuts": "d", onclick: () => this.toggleTheme() },
        this.dark ? "☀" : "☾",
      ),
      el("button", { title: "Keys (?)", "aria-label": "Keys", onclick: () => this.showHelp() }, "?"),
    );
  }

  showTrail() {
    const { above } = this.left;
    const trail = [];
    for (let at = this.root; at >= 0; at = above[at]) trail.push(at);
    const names = this.census.columns.name;
    const many = this.left.tops.length !== 1;
    const items = trail.reverse().map((node) => [names[node], node]);
    if (many) items.unshift([this.census.facts.whole ? "the whole store" : this.census.facts.title, -1]);
    fill(
      this.shell.trail,
      items.map(([label, node], i) => [
        i > 0 ? el("span", { "aria-hidden": "true" }, "›") : null,
        el(
          "button",
          { "aria-current": i + 1 === items.length ? "page" : null, onclick: () => this.state.set({ at: node, path: node }) },
          label,
        ),
      ]),
    );
  }

  choice(label, key, options, current) {
    return el(
      "div",
      { class: "choice", role: "group", "aria-label": label },
      el("span", {}, label),
      options.map(([value, text]) =>
        el("button", { "aria-pressed": String(value === current), onclick: () => this.state.set({ [key]: value }) }, text),
      ),
    );
  }

  showControls(now) {
    const sizes = this.census.disk ? [["", "Disk"], ["nar", "NAR"]] : [];
    fill(
      this.shell.controls,
      sizes.length > 0 ? this.choice("Size", "size", sizes, this.size === "nar" ? "nar" : "") : null,
      now.view === "table" ? null : this.choice("Colour", "color", [["kind", "Contents"], ["package", "Package"], ["age", "Age"]], now.color),
    );
  }

  showLegend(now) {
    const { legend, scale } = this.coloring;
    const { shell } = this;
    shell.legend.hidden = now.view !== "map";
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
      legend.map(({ label, color }, i) => (used.has(i) ? el("span", { class: "entry" }, this.panel.swatch(color), label) : null)),
      this.census.classes > 0 ? el("span", { class: "entry" }, el("span", { class: "swatch hatched" }), "Hard-linked by several") : null,
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
        this.census.disk ? of("disk", "on disk") : null,
        of("nar", "NAR"),
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

  showHelp() {
    const help = byId("help");
    const close = () => help.close();
    fill(
      help,
      el("h2", {}, "Keys"),
      el("dl", {}, KEYS.map(([keys, what]) => [el("dt", {}, keys.split("  ").map((key) => el("kbd", {}, key))), el("dd", {}, what)])),
      el(
        "p",
        { class: "note" },
        "A box of the map holds what goes when it goes: the path itself, and all that only it keeps. ",
        "Hatched boxes are files that several paths have, as hard links; they lie in the nearest path ",
        "that keeps all of those.",
      ),
      el("button", { class: "action", autofocus: true, onclick: close }, "Close"),
    );
    if (!help.open) help.showModal();
  }

  toggleTheme() {
    const system = matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = !this.dark;
    this.state.set({ theme: dark === system ? "" : dark ? "dark" : "light" }, false);
  }

  // ---- keys and pointers

  listen() {
    const { overlay, map } = this.shell;
    const place = (event) => {
      const { left, top } = overlay.getBoundingClientRect();
      return this.map.at(event.clientX - left, event.clientY - top);
    };
    const tip = byId("tip");
    overlay.addEventListener("pointermove", (event) => {
      const box = place(event);
      this.map.hover(box);
      tip.hidden = !box || event.pointerType === "touch";
      if (tip.hidden) return;
      this.map.describe(tip, box);
      const { offsetWidth: width, offsetHeight: height } = tip;
      const x = Math.min(event.clientX + 14, innerWidth - width - 8);
      const y = event.clientY + 18 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 18;
      tip.style.transform = `translate(${Math.max(8, x)}px, ${Math.max(8, y)}px)`;
    });
    overlay.addEventListener("pointerleave", () => {
      this.map.hover(null);
      tip.hidden = true;
    });
    overlay.addEventListener("click", (event) => {
      const box = place(event);
      tip.hidden = true;
      if (!box) return;
      if (box.node >= 0 && this.census.isPath(box.node)) this.state.set({ path: box.node, at: this.room(box.node) });
      else if (box.node >= 0) this.state.set({ path: -1, at: this.owner(box.node) });
      this.announcePath(box.node);
    });
    let lastWheel = 0;
    overlay.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // One step a turn, however finely a wheel or a pad counts.
        if (event.timeStamp - lastWheel < 320 || Math.abs(event.deltaY) < 4) return;
        lastWheel = event.timeStamp;
        if (event.deltaY > 0) this.out();
        else this.towards(place(event));
      },
      { passive: false },
    );
    addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => {
      if (this.state.now.view !== "map") return;
      const { width, height } = map.getBoundingClientRect();
      if (Math.floor(width) !== this.map.width || Math.floor(height) !== this.map.height) this.drawMap(this.state.now);
    }).observe(map);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show(this.state.now, this.state.now));
  }

  // The path that a group or a class of hard links lies in.
  owner(node) {
    return Math.max(-1, this.left.above[node]);
  }

  out() {
    const { root } = this;
    if (root < 0) return;
    const at = this.owner(root);
    const top = at < 0 && this.left.tops.length === 1;
    if (!top) this.state.set({ at, path: root });
  }

  // One step into what is pointed at.
  towards(box) {
    if (!box || box.node < 0) return;
    const { above, children } = this.left;
    let node = box.node;
    while (node >= 0 && above[node] !== this.root && node !== this.root) node = above[node];
    if (node >= 0 && node !== this.root && children.has(node)) this.state.set({ at: node, path: node });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("help").open) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (typing) return;
    const { now } = this.state;
    const keys = {
      "/": () => this.search.input.focus(),
      m: () => this.state.set({ view: "map" }),
      t: () => this.state.set({ view: "table" }),
      g: () => this.state.set({ view: "graph", path: now.path >= 0 ? now.path : this.root }),
      x: () => this.toggleRemoved(now.view === "graph" ? this.views.graph.target : now.path),
      u: () => now.changes.length > 0 && this.state.set({ changes: now.changes.slice(0, -1) }),
      s: () => this.census.disk && this.state.set({ size: this.size === "disk" ? "nar" : "" }),
      c: () => {
        const all = CHOICES.color;
        this.state.set({ color: all[(all.indexOf(now.color) + 1) % all.length] });
      },
      d: () => this.toggleTheme(),
      "?": () => this.showHelp(),
      Home: () => this.state.set({ at: -1, path: -1 }),
    };
    const inMap = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      ArrowDown: () => this.into(),
      Enter: () => this.into(),
      ArrowUp: () => this.up(),
      Escape: () => this.up(),
      Backspace: () => this.up(),
    };
    const onButton = event.target.closest?.("button, a, summary");
    const own = now.view === "map" && !onButton ? inMap[event.key] : null;
    const act = keys[event.key] ?? own;
    if (!act) {
      if (!onButton) this.views[now.view]?.key?.(event);
      return;
    }
    act();
    event.preventDefault();
    this.focusAfter(event.key);
  }

  focusAfter(key) {
    if (["m", "t", "g"].includes(key)) this.focusView();
  }

  step(by) {
    const { path } = this.state.now;
    if (path < 0 || path === this.root) {
      this.into();
      return;
    }
    let next = path;
    do next = this.map.sibling(next, by);
    while (next !== path && !this.census.isPath(next));
    this.state.set({ path: next }, false);
    this.announcePath(next);
  }

  into() {
    const { path } = this.state.now;
    const { children, above } = this.left;
    const from = path >= 0 && above[path] !== -2 ? path : this.root;
    const kids = (node) => ((node < 0 ? this.left.tops : children.get(node)) ?? []).filter((kid) => this.census.isPath(kid));
    const row = kids(from);
    if (row.length === 0) return;
    const heaviest = row.reduce((best, kid) => (this.map.weight(kid) > this.map.weight(best) ? kid : best));
    this.state.set({ at: from, path: heaviest });
    this.announcePath(heaviest);
  }

  up() {
    const { path } = this.state.now;
    if (path >= 0 && path !== this.root) {
      const up = this.owner(path);
      this.state.set({ path: up, at: up >= 0 ? this.owner(up) : -1 });
    } else {
      this.out();
    }
    this.announcePath(this.state.now.path);
  }
}

try {
  const census = new Census(readIsland(await inflate(byId("data").textContent)));
  globalThis.nixCensus = new App(census);
  document.documentElement.dataset.ready = "yes";
} catch (error) {
  byId("summary").textContent = `This page cannot be shown: ${error}. It needs a browser of 2023 or later.`;
  throw error;
}
