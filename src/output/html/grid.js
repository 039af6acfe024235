// A table of many rows, of which only those that are seen are made: sorted by any column,
// filtered, moved in by keys, copied as CSV.
import { el, fill, byId } from "./dom.js";
import { formatSize, formatCount, formatTime, formatChange, UNKNOWN } from "./format.js";
import { matcher } from "./search.js";

const ROW = 30;
const BEYOND = 8;

const WIDTHS = { text: 190, size: 136, change: 136, count: 150, time: 168 };
// In narrow windows, so that two columns beside the first are seen.
const NARROW = { text: 132, size: 96, change: 96, count: 96, time: 150 };
const FORMATS = { size: formatSize, change: formatChange, count: formatCount, time: formatTime };

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

// Who extends this has `columns` as [key, label, type], puts what it wants into `toolbar`,
// and says what there is: `allRows()`, `value(key, row)`, `current` (the row that is
// selected), `goTo(row)` and `open(row)`; and where it is so, `pick` (the row's cell
// before the others).
export class Grid {
  // `label` says what is listed, `least` what the input of a size does.
  constructor(app, label, least) {
    Object.assign(this, { app, element: byId("table"), rows: [], place: new Map() });
    this.filter = app.filterInput("filter", "Name or glob", "Show only names that match");
    this.least = app.filterInput("least", "At least, 20M", least, true);
    this.sum = el("span", { class: "sum", role: "status" });
    this.copier = this.button("Copy as CSV", () => app.copy(this.csv(this.chosen), "Copied as CSV"));
    this.toolbar = el("div", { class: "toolbar" });
    this.head = el("tr", { role: "row" });
    this.body = el("tbody", { role: "rowgroup" });
    this.grid = el(
      "table",
      { "aria-label": label, role: "grid", "aria-multiselectable": this.pick ? "true" : null },
      el("thead", { role: "rowgroup" }, this.head),
      this.body,
    );
    const hint = `Table of ${label.toLowerCase()}. Arrow keys move${this.pick ? ", Space selects" : ""}.`;
    this.scroll = el(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": hint, onscroll: () => this.draw() },
      this.grid,
    );
    fill(this.element, this.toolbar, this.scroll);
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
  }

  button(label, act) {
    return el("button", { class: "action", onclick: act }, label);
  }

  // The rows that are copied.
  get chosen() {
    return this.rows;
  }

  // What rows are to be like: a test of names, or null for all, and a least size.
  asked() {
    const { filter, least } = this.app.state.now;
    const size = least.trim() === "" ? 0 : parseSize(least);
    this.least.classList.toggle("wrong", Number.isNaN(size));
    return { test: matcher(filter), least: size };
  }

  focus() {
    this.scroll.focus({ preventScroll: true });
  }

  // The sorting that is asked for, else as `sortedFirst` says; without a key the rows stay
  // as they come.
  get sort() {
    const find = (text) => {
      const up = text.startsWith("-");
      const column = this.columns.find(([key]) => key === text.slice(up ? 1 : 0));
      return column && { key: column[0], type: column[2], up };
    };
    return find(this.app.state.now.sort) ?? find(this.sortedFirst) ?? { key: "", type: "size", up: false };
  }

  // Shows what is to be shown: all again if what rows are to be like, their order or one
  // of `more` is not what it was.
  refresh(...more) {
    const { filter, least } = this.app.state.now;
    this.filter.show(filter);
    this.least.show(least);
    const wanted = JSON.stringify([filter, least, this.sort, ...more]);
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      this.rows = this.sorted(this.allRows());
      this.place = new Map(this.rows.map((row, at) => [row, at]));
      this.largests = new Map();
      this.showHead();
    }
    this.reveal(this.current);
    this.draw();
  }

  // As the program sorts: the largest first, texts from A on; unknown last, equal as they
  // are numbered.
  sorted(rows) {
    const { key, type, up } = this.sort;
    if (key === "") return rows;
    const keys = new Map(rows.map((row) => [row, this.value(key, row)]));
    const empty = (value) => (type === "text" ? value === "" : Number.isNaN(value));
    const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const order = type === "text" ? byText : (a, b) => b - a;
    return rows.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (empty(x) || empty(y)) return empty(x) - empty(y) || a - b;
      return (up ? order(y, x) : order(x, y)) || a - b;
    });
  }

  showHead() {
    const { key: by, up, type: byType } = this.sort;
    let width = this.pick ? 36 : 0;
    fill(
      this.head,
      this.pick ? el("th", { role: "columnheader", class: "pick" }, el("span", { class: "offscreen" }, "Selected")) : null,
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
    this.grid.setAttribute("aria-colcount", String(this.columns.length + (this.pick ? 1 : 0)));
    this.grid.classList.toggle("picked", Boolean(this.pick));
  }

  width(key, type) {
    if (key === this.columns[0][0]) return innerWidth < 620 ? 168 : 260;
    if (["path", "deriver", "chain"].includes(key)) return 520;
    return (innerWidth < 620 ? NARROW : WIDTHS)[type];
  }

  draw() {
    if (this.wanted === undefined || this.element.hidden) return;
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

  row(row, at) {
    return el(
      "tr",
      {
        role: "row",
        "aria-rowindex": at + 2,
        "aria-selected": this.pick ? String(this.picked.has(row)) : null,
        "aria-current": row === this.current ? "true" : null,
        dataset: { row },
        onclick: (event) => {
          if (!event.target.closest("input")) this.goTo(row);
        },
        ondblclick: () => this.open(row),
      },
      this.pick ? el("td", { role: "gridcell", class: "pick" }, this.pick(row)) : null,
      this.columns.map(([key, , type], i) => this.cell(key, type, this.value(key, row), i)),
    );
  }

  cell(key, type, value, i) {
    const role = i === 0 ? "rowheader" : "gridcell";
    if (type === "text") return el("td", { role, class: `of-${type}`, title: value }, value);
    if (Number.isNaN(value)) return el("td", { role, class: `of-${type}` }, UNKNOWN);
    const bytes = type === "size" || type === "change";
    const way = type !== "change" || value === 0 ? "" : value > 0 ? " more-bytes" : " less-bytes";
    const cell = el("td", { role, class: `of-${type}${way}`, title: bytes ? `${value} bytes` : null }, FORMATS[type](value));
    if (type === "change") cell.style.setProperty("--part", `${(96 * Math.abs(value)) / (this.largest(key) || 1)}%`);
    return cell;
  }

  // The largest of a column, for the bars.
  largest(key) {
    if (!this.largests.has(key)) {
      this.largests.set(key, this.rows.reduce((most, row) => Math.max(most, Math.abs(this.value(key, row)) || 0), 0));
    }
    return this.largests.get(key);
  }

  // Some rows, or all that are shown, in their order.
  csv(rows = this.rows) {
    const keys = this.columns.map(([key]) => key);
    const lines = rows.map((row) => keys.map((key) => csvField(this.value(key, row))).join(","));
    return [keys.join(","), ...lines, ""].join("\n");
  }

  reveal(row) {
    const at = this.place.get(row);
    if (at === undefined || row === this.revealed) return;
    this.revealed = row;
    const head = this.head.offsetHeight || ROW;
    const { scrollTop, clientHeight } = this.scroll;
    const top = at * ROW;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight - head) this.scroll.scrollTop = top + ROW - clientHeight + head;
  }

  key(event) {
    const at = this.place.get(this.current) ?? -1;
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
        this.goTo(next);
        this.app.announceNode(next);
      }
    } else if (event.key === " " && this.pick && at >= 0) {
      this.togglePicked(this.current);
    } else if (event.key === "Enter" && at >= 0) {
      this.open(this.current);
      this.app.focusView();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
