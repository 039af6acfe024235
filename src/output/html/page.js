// What all pages have in common: a map, a table and other views of the same things, a
// panel that tells all of what is selected, and what keys and pointers do.
import { inflate, readIsland } from "./data.js";
import { el, fill, byId, copyText } from "./dom.js";

const KEYS_OF_ALL = [
  ["/", "search"],
  ["← →", "next and previous by size"],
  ["Enter ↓", "into a box"],
  ["Esc ↑", "out of it"],
  ["Home", "all of it"],
  ["d", "dark or light"],
  ["Alt ←", "back"],
  ["?", "these keys"],
];

const SIZE_NAMES = { physical: "Physical", disk: "Disk", nar: "NAR" };

// Who extends this has `state`, whose `at` is the node that the map shows, `map`, `views`
// by key, `search`, `root` and, where sizes can be chosen, `disk` and `physical`: whether
// those on disk are known, and whether those of extents are, and differ; and says what is done: `select(node)`, `announceNode(node)`,
// `isSelectable(node)`, `keys(now)`, `clicked(box)`, `show(now, before)`; and where it is
// not as here, `marked(query)` and `mapped()`.
export class Page {
  // `views` are [key, label, letter]; `help` further keys; `selection` is what of the
  // state is selected; `label` says what the map is.
  constructor({ views, help, notes, selection, label }) {
    const ids = ["map", "canvas", "overlay", "panel", "search", "results", "trail", "legend", "controls"];
    this.shell = Object.fromEntries(ids.map((id) => [id, byId(id)]));
    this.shell.frame = this.shell.map;
    this.shell.overlay.setAttribute(
      "aria-label",
      `Map: ${label}. Arrow keys move, Enter goes into a box, Escape goes out. Press t for the same as a table.`,
    );
    Object.assign(this, { viewList: views, notes, selection });
    const letters = views.map(([, , key]) => key).join("  ");
    const names = views.map(([, label]) => label.toLowerCase()).join(", ");
    this.help = [KEYS_OF_ALL[0], [letters, names], ...KEYS_OF_ALL.slice(1, 5), ...help, ...KEYS_OF_ALL.slice(5)];
  }

  // Shows it from then on.
  start() {
    this.state.listen((now, before) => this.show(now, before));
    this.listen();
    this.search.input.value = this.state.now.query;
    this.show(this.state.now, null);
  }

  async copy(text, said) {
    this.announce((await copyText(text)) ? said : "It could not be copied");
    this.copied = text;
  }

  announce(text) {
    byId("live").textContent = text;
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
    const names = ["paper", "ink", "quiet", "accent", "mark"];
    const colors = names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
    return { dark: this.dark, ...Object.fromEntries(colors) };
  }

  toggleTheme() {
    const system = matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = !this.dark;
    this.state.set({ theme: dark === system ? "" : dark ? "dark" : "light" }, false);
  }

  // The parts of a page that look the same on all.
  showFrame(now, title, summary) {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    const { input } = this.search;
    if (input.value !== now.query && document.activeElement !== input) input.value = now.query;
    byId("heading").querySelector("h1").textContent = title;
    fill(byId("summary"), summary);
    const button = (view, label, key) =>
      el(
        "button",
        {
          "aria-pressed": String(view === now.view),
          "aria-keyshortcuts": key,
          title: `${label} (${key})`,
          onclick: () => this.state.set({ view }),
        },
        label,
      );
    fill(byId("views"), this.viewList.map((view) => button(...view)));
    fill(
      byId("tools"),
      el(
        "button",
        { title: "Dark or light (d)", "aria-label": "Dark or light", "aria-keyshortcuts": "d", onclick: () => this.toggleTheme() },
        this.dark ? "☀" : "☾",
      ),
      el("button", { title: "Keys (?)", "aria-label": "Keys", onclick: () => this.showHelp() }, "?"),
    );
    for (const [view] of this.viewList) byId(view).hidden = view !== now.view;
    byId("trail").classList.toggle("off", now.view !== "map");
    this.shell.legend.hidden = now.view !== "map";
  }

  // The view that is looked at; in the map one moves from what it showed to what it shows.
  showView(now, before) {
    if (now.view === "map") {
      const { drawn, root } = this;
      const moved = before && before.view === "map" && drawn !== undefined && drawn !== root;
      this.drawMap(now, moved ? drawn : undefined);
      this.drawn = root;
    }
    this.views[now.view]?.show(now, before);
    const { selection } = this;
    if (before && before[selection] !== now[selection]) this.shell.panel.scrollTop = 0;
  }

  drawMap(now, zoomFrom) {
    this.map.show({
      root: this.root,
      theme: this.theme(),
      selected: this.selected,
      marked: now.query.trim() === "" ? null : new Set(this.marked(now.query)),
      zoomFrom,
      ...this.mapped(),
    });
  }

  // The nodes of the map that a query finds.
  marked(query) {
    return this.search.matches(query);
  }

  // What else the map is drawn by.
  mapped() {
    return {};
  }

  // Which sizes are shown.
  get size() {
    const { size } = this.state.now;
    return this.sizes.includes(size) ? size : this.sizes[0];
  }

  // Which there are: first what is really used, as far as that is known.
  get sizes() {
    return ["physical", "disk", "nar"].filter((size) => size === "nar" || this[size]);
  }

  toggleSize() {
    const next = this.sizes.indexOf(this.size) + 1;
    if (this.disk) this.state.set({ size: this.sizes[next] ?? "" });
  }

  sizeChoice() {
    if (!this.disk) return null;
    const value = (size) => (size === this.sizes[0] ? "" : size);
    return this.choice("Size", "size", this.sizes.map((size) => [value(size), SIZE_NAMES[size]]), value(this.size));
  }

  // What is in what, from the outermost: pairs of a label and a node.
  showTrail(items) {
    const button = ([label, node], i) => [
      i > 0 ? el("span", { "aria-hidden": "true" }, "›") : null,
      el("button", { "aria-current": i + 1 === items.length ? "page" : null, onclick: () => this.enter(node) }, label),
    ];
    fill(this.shell.trail, items.map(button));
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

  // An input that what is shown follows; `show` puts in what the address says.
  filterInput(key, placeholder, label, narrow = false) {
    const input = el("input", {
      type: "search",
      class: narrow ? "narrow" : null,
      placeholder,
      "aria-label": label,
      spellcheck: "false",
      oninput: (event) => this.state.set({ [key]: event.target.value }, false),
    });
    input.show = (text) => {
      if (input.value !== text) input.value = text;
    };
    return input;
  }

  // A colour of the legend, and what it means.
  legendEntry(color, label) {
    return el("span", { class: "entry" }, this.swatch(color), label);
  }

  swatch(color) {
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color;
    return swatch;
  }

  showHelp() {
    const help = byId("help");
    fill(
      help,
      el("h2", {}, "Keys"),
      el("dl", {}, this.help.map(([keys, what]) => [el("dt", {}, keys.split("  ").map((key) => el("kbd", {}, key))), el("dd", {}, what)])),
      this.notes.map((note) => el("p", { class: "note" }, note)),
      el("button", { class: "action", autofocus: true, onclick: () => help.close() }, "Close"),
    );
    if (!help.open) help.showModal();
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
      this.clicked(box);
      this.announceNode(box.node);
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

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("help").open) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (typing) return;
    const { now } = this.state;
    const views = this.viewList.map(([view, , key]) => [key, () => this.state.set({ view })]);
    const keys = {
      "/": () => this.search.input.focus(),
      ...Object.fromEntries(views),
      d: () => this.toggleTheme(),
      "?": () => this.showHelp(),
      Home: () => this.choose(-1, { at: -1 }),
      ...this.keys(now),
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
    if (this.viewList.some(([, , key]) => key === event.key)) this.focusView();
  }

  // ---- moving in the map

  // The node that is selected, and another in its place.
  get selected() {
    return this.state.now[this.selection];
  }

  choose(node, more = {}, step = true) {
    this.state.set({ ...more, [this.selection]: node }, step);
  }

  // Shows a node with what is in it, and selects it.
  enter(node) {
    this.choose(node, { at: node });
  }

  // The node around one.
  owner(node) {
    return Math.max(-1, this.map.up(node));
  }

  out() {
    const { root } = this;
    if (root < 0) return;
    const at = this.owner(root);
    const top = at < 0 && this.map.kids(-1).length === 1;
    if (!top) this.choose(root, { at });
  }

  // One step into what is pointed at.
  towards(box) {
    if (!box || box.node < 0) return;
    let { node } = box;
    while (node >= 0 && this.map.up(node) !== this.root && node !== this.root) node = this.map.up(node);
    if (node >= 0 && node !== this.root && this.map.kids(node).length > 0) this.enter(node);
  }

  step(by) {
    const { selected } = this;
    if (selected < 0 || selected === this.root) {
      this.into();
      return;
    }
    let next = selected;
    do next = this.map.sibling(next, by);
    while (next !== selected && !this.isSelectable(next));
    this.choose(next, {}, false);
    this.announceNode(next);
  }

  into() {
    const { selected } = this;
    const from = selected >= 0 && this.map.up(selected) !== -2 ? selected : this.root;
    const row = this.map.kids(from).filter((kid) => this.isSelectable(kid));
    if (row.length === 0) return;
    const heaviest = row.reduce((best, kid) => (this.map.weight(kid) > this.map.weight(best) ? kid : best));
    this.choose(heaviest, { at: from });
    this.announceNode(heaviest);
  }

  up() {
    const { selected } = this;
    if (selected >= 0 && selected !== this.root) {
      const up = this.owner(selected);
      this.choose(up, { at: up >= 0 ? this.owner(up) : -1 });
    } else {
      this.out();
    }
    this.announceNode(this.selected);
  }
}

// Shows the page that is made of the data, or says why there is none.
export async function openPage(make) {
  try {
    globalThis.nixCensus = make(readIsland(await inflate(byId("data").textContent)));
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    byId("summary").textContent = `This page cannot be shown: ${error}. It needs a browser of 2023 or later.`;
    throw error;
  }
}
