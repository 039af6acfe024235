// The table: every named path with all columns. Only the rows that are seen are made.
import { el, fill, byId } from "./dom.js";
import { formatSize, formatCount, formatTime, counted, UNKNOWN } from "./format.js";
import { matcher } from "./search.js";

const ROW = 30;
const BEYOND = 8;

// Columns by the keys of `report`: heading, type.
const COLUMNS = [
  ["name", "Name", "text"],
  ["disk_size", "Disk size", "size"],
  ["retained_disk_size", "Retained disk", "size"],
  ["nar_size", "NAR size", "size"],
  ["retained_nar_size", "Retained NAR", "size"],
  ["closure_disk_size", "Closure disk", "size"],
  ["closure_nar_size", "Closure NAR", "size"],
  ["shared_size", "Shared", "size"],
  ["reclaimable_size", "Reclaimable", "size"],
  ["apparent_size", "Apparent size", "size"],
  ["copied_disk_size", "Copied", "size"],
  ["disk_nar_size", "NAR size (disk)", "size"],
  ["download_size", "Download", "size"],
  ["inodes", "Inodes", "count"],
  ["retained_inodes", "Retained inodes", "count"],
  ["closure_inodes", "Closure inodes", "count"],
  ["reclaimable_inodes", "Reclaimable inodes", "count"],
  ["files", "Files", "count"],
  ["directories", "Directories", "count"],
  ["symlinks", "Symlinks", "count"],
  ["registration_time", "Registered", "time"],
  ["package", "Package", "text"],
  ["package_version", "Version", "text"],
  ["output", "Output", "text"],
  ["deriver", "Deriver", "text"],
  ["ca", "Content address", "text"],
  ["path", "Path", "text"],
];

const WIDTHS = { text: 190, size: 136, count: 150, time: 168 };

// A size as people write it, as the program's --min-size takes it; NaN if it is none.
function parseSize(text) {
  const found = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([kKMGTP]?)(iB|B)?\s*$/.exec(text);
  if (!found) return NaN;
  const power = " KMGTP".indexOf(found[2].toUpperCase() || " ");
  const base = found[2] !== "" && found[3] === "B" ? 1000 : 1024;
  return Number(found[1]) * base ** power;
}

// A field of CSV, as the program writes it.
function csvField(value) {
  const text = value === undefined || Number.isNaN(value) ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export class Table {
  constructor(census, app) {
    this.census = census;
    this.app = app;
    this.element = byId("table");
    this.columns = COLUMNS.filter(([key]) => this.has(key));
    this.picked = new Set();
    this.rows = [];
    this.build();
  }

  has(key) {
    if (["name", "path"].includes(key)) return true;
    if (key === "retained_nar_size") return true;
    if (key.startsWith("retained_")) return this.census.disk;
    return this.census.columns[key] !== undefined;
  }

  value(key, path) {
    const { census, app } = this;
    switch (key) {
      case "path":
        return app.fullPath(path);
      case "retained_disk_size":
        return this.retained("disk", path);
      case "retained_nar_size":
        return this.retained("nar", path);
      case "retained_inodes":
        return this.retained("inodes", path);
      default:
        return census.columns[key][path];
    }
  }

  // What is gone retains nothing any more.
  retained(key, path) {
    if (this.state.above[path] === -2) return 0;
    return this.census.retainedSize(this.state, key, path);
  }

  build() {
    const typed = (key) => (event) => this.app.state.set({ [key]: event.target.value }, false);
    this.filter = el("input", {
      type: "search",
      placeholder: "Name or glob",
      "aria-label": "Show only names that match",
      spellcheck: "false",
      oninput: typed("filter"),
    });
    this.least = el("input", {
      type: "search",
      class: "narrow",
      placeholder: "At least, 20M",
      "aria-label": "Show only paths of at least this size",
      spellcheck: "false",
      oninput: typed("least"),
    });
    this.sum = el("span", { class: "sum", role: "status" });
    this.head = el("tr", { role: "row" });
    this.body = el("tbody", { role: "rowgroup" });
    this.scroll = el(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of all paths. Arrow keys move, Space selects.", onscroll: () => this.draw() },
      (this.grid = el(
        "table",
        { "aria-label": "All paths", role: "grid", "aria-multiselectable": "true" },
        el("thead", { role: "rowgroup" }, this.head),
        this.body,
      )),
    );
    const button = (label, act) => el("button", { class: "action", onclick: act }, label);
    fill(
      this.element,
      el(
        "div",
        { class: "toolbar" },
        this.filter,
        this.least,
        this.sum,
        button("Select all shown", () => this.pickAll()),
        button("Select none", () => this.pick(new Set())),
        button("Copy as CSV", () => this.app.copy(this.csv(), "Copied as CSV")),
      ),
      this.scroll,
    );
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
  }

  focus() {
    this.scroll.focus({ preventScroll: true });
  }

  get sort() {
    const text = this.app.state.now.sort || (this.census.disk ? "disk_size" : "nar_size");
    const up = text.startsWith("-");
    const key = up ? text.slice(1) : text;
    const column = this.columns.find(([other]) => other === key) ?? this.columns[1];
    return { key: column[0], type: column[2], up };
  }

  show(now, state) {
    this.state = state;
    for (const [input, text] of [[this.filter, now.filter], [this.least, now.least]]) {
      if (input.value !== text) input.value = text;
    }
    const wanted = JSON.stringify([now.filter, now.least, this.sort, now.changes, this.app.size]);
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      this.choose(now);
      this.showHead();
    }
    this.showSum();
    this.reveal(now.path);
    this.draw();
  }

  // The rows to show, in order: as `report --sort` has it, unknown last, equal by path.
  choose(now) {
    const test = matcher(now.filter);
    const least = now.least.trim() === "" ? 0 : parseSize(now.least);
    this.least.classList.toggle("wrong", Number.isNaN(least));
    const names = this.census.columns.name;
    const rows = [];
    for (let path = 0; path < this.census.paths; path++) {
      if (this.state.above[path] === -2) continue;
      if (test && !test(names[path])) continue;
      if (least > 0 && !(this.app.weight(path) >= least)) continue;
      rows.push(path);
    }
    const { key, type, up } = this.sort;
    const keys = new Array(this.census.paths);
    for (const path of rows) keys[path] = this.value(key, path);
    const empty = (value) => (type === "text" ? value === "" : Number.isNaN(value));
    const order =
      type === "text" ? (a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0) : (a, b) => keys[b] - keys[a];
    rows.sort((a, b) => {
      const [x, y] = [empty(keys[a]), empty(keys[b])];
      if (x || y) return x - y || a - b;
      return (up ? order(b, a) : order(a, b)) || a - b;
    });
    this.rows = rows;
    this.place = new Map(rows.map((path, at) => [path, at]));
    this.picked = new Set([...this.picked].filter((path) => this.state.above[path] !== -2));
  }

  showHead() {
    const { key: by, up, type: byType } = this.sort;
    let width = 36;
    fill(
      this.head,
      el("th", { role: "columnheader", class: "pick" }, el("span", { class: "offscreen" }, "Selected")),
      this.columns.map(([key, label, type]) => {
        width += this.width(key, type);
        const sorted = key === by;
        const ascending = (byType === "text") !== up;
        const th = el(
          "th",
          { role: "columnheader", class: `of-${type}`, "aria-sort": sorted ? (ascending ? "ascending" : "descending") : "none" },
          el(
            "button",
            { onclick: () => this.app.state.set({ sort: sorted && !up ? `-${key}` : key }, false) },
            label,
            sorted ? el("span", { "aria-hidden": "true" }, ascending ? " ↑" : " ↓") : null,
          ),
        );
        th.style.width = `${this.width(key, type)}px`;
        return th;
      }),
    );
    this.grid.style.width = `${width}px`;
    this.grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.grid.setAttribute("aria-colcount", String(this.columns.length + 1));
  }

  width(key, type) {
    if (key === "name") return innerWidth < 620 ? 168 : 260;
    if (key === "path" || key === "deriver") return 520;
    return WIDTHS[type];
  }

  draw() {
    if (!this.state || this.element.hidden) return;
    const { scrollTop, clientHeight } = this.scroll;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    const space = (rows) => {
      const row = el("tr", { "aria-hidden": "true", class: "space" }, el("td"));
      row.style.height = `${rows * ROW}px`;
      return row;
    };
    const rows = [];
    for (let at = first; at < last; at++) rows.push(this.row(this.rows[at], at));
    fill(
      this.body,
      first > 0 ? space(first) : null,
      rows,
      last < this.rows.length ? space(this.rows.length - last) : null,
    );
  }

  row(path, at) {
    const picked = this.picked.has(path);
    const current = path === this.app.state.now.path;
    return el(
      "tr",
      {
        role: "row",
        "aria-rowindex": at + 2,
        "aria-selected": String(picked),
        "aria-current": current ? "true" : null,
        dataset: { path },
        onclick: (event) => {
          if (event.target.closest("input")) return;
          this.app.state.set({ path }, false);
        },
        ondblclick: () => this.app.state.set({ view: "map", path, at: this.app.room(path) }),
      },
      el(
        "td",
        { role: "gridcell", class: "pick" },
        this.box(path, picked),
      ),
      this.columns.map(([key, , type], i) => this.cell(key, type, this.value(key, path), i)),
    );
  }

  box(path, picked) {
    const box = el("input", {
      type: "checkbox",
      tabindex: "-1",
      "aria-label": `Select ${this.census.columns.name[path]}`,
      onchange: () => this.togglePicked(path),
    });
    box.checked = picked;
    return box;
  }

  cell(key, type, value, i) {
    const role = i === 0 ? "rowheader" : "gridcell";
    if (type === "text") return el("td", { role, class: `of-${type}`, title: value }, value);
    if (Number.isNaN(value)) return el("td", { role, class: `of-${type}` }, UNKNOWN);
    const format = { size: formatSize, count: formatCount, time: formatTime }[type];
    return el("td", { role, class: `of-${type}`, title: type === "size" ? `${value} bytes` : null }, format(value));
  }

  togglePicked(path) {
    const picked = new Set(this.picked);
    if (!picked.delete(path)) picked.add(path);
    this.pick(picked);
  }

  pickAll() {
    this.pick(new Set(this.rows));
  }

  pick(picked) {
    this.picked = picked;
    this.showSum();
    this.draw();
  }

  // What is selected takes together, each inode once; without a selection what is shown.
  showSum() {
    const some = this.picked.size > 0;
    const { nar, disk, paths } = this.census.sum(some ? this.picked : this.rows);
    const size = (bytes, label) => [" · ", el("data", { value: bytes, dataset: { key: label } }, formatSize(bytes)), ` ${label}`];
    fill(
      this.sum,
      el("b", {}, counted(paths, "path")),
      some ? " selected" : "",
      Number.isNaN(disk) ? null : size(disk, "on disk"),
      Number.isNaN(nar) ? null : size(nar, "NAR"),
    );
  }

  // What is selected, else all rows that are shown, in their order.
  csv() {
    const keys = this.columns.map(([key]) => key);
    const rows = this.picked.size > 0 ? this.rows.filter((path) => this.picked.has(path)) : this.rows;
    const lines = rows.map((path) => keys.map((key) => csvField(this.value(key, path))).join(","));
    return [keys.join(","), ...lines, ""].join("\n");
  }

  reveal(path) {
    const at = this.place?.get(path);
    if (at === undefined || path === this.revealed) return;
    this.revealed = path;
    const head = this.head.offsetHeight || ROW;
    const { scrollTop, clientHeight } = this.scroll;
    const top = at * ROW;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight - head) this.scroll.scrollTop = top + ROW - clientHeight + head;
  }

  key(event) {
    const { path } = this.app.state.now;
    const at = this.place.get(path) ?? -1;
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.rows.length - 1,
    }[event.key];
    if (event.target.closest("button, input") && event.target !== this.scroll) return;
    if (to !== undefined) {
      const next = this.rows[Math.min(this.rows.length - 1, Math.max(0, to))];
      if (next !== undefined) {
        this.app.state.set({ path: next }, false);
        this.app.announcePath(next);
      }
    } else if (event.key === " " && path >= 0) {
      this.togglePicked(path);
    } else if (event.key === "Enter" && path >= 0) {
      this.app.state.set({ view: "map", path, at: this.app.room(path) });
      this.app.focusView();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
