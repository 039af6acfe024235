// What the side panels have in common: rows, sections, lists of which the rest is shown on
// demand, and what makes a page incomplete.
import { el } from "./dom.js";
import { formatCount } from "./format.js";

// Who extends this draws what is to be shown: `draw()`.
export class Details {
  // Of a list, `most` rows are shown at first.
  constructor(facts, app, most) {
    Object.assign(this, { facts, app, most });
    this.element = app.shell.panel;
    // Lists that were asked for in full.
    this.open = new Set();
  }

  section(title, ...content) {
    return el("section", {}, el("h3", {}, title), ...content);
  }

  row(label, value, part) {
    return [el("dt", {}, label), el("dd", {}, value, part ? el("small", {}, part) : null)];
  }

  count(n) {
    return el("data", { value: n }, formatCount(n));
  }

  // The first of some rows; the rest on demand, or as `whole` shows them.
  list(title, rows, item, { note, whole, unnamed } = {}) {
    if (rows.length === 0 && !unnamed) return null;
    const shown = this.open.has(title) ? rows : rows.slice(0, this.most);
    const rest = rows.length - shown.length;
    const open = () => {
      this.open.add(title);
      this.draw();
    };
    const more = () => el("li", {}, el("button", { class: "more", onclick: whole ?? open }, `${formatCount(rest)} more`));
    return this.section(
      `${title} (${formatCount(rows.length)}${unnamed ? " and more" : ""})`,
      note ? el("p", { class: "note" }, note) : null,
      unnamed ? el("p", { class: "note" }, "Some have no names on this page.") : null,
      el("ul", { class: "paths" }, shown.map(item), rest > 0 ? more() : null),
    );
  }

  // Which sizes are shown, where these are not what the disk size says; or why they are.
  sizesNote() {
    const { sizes_note: note } = this.facts;
    return note === "" ? null : el("p", { class: "note" }, note);
  }

  warnings() {
    const { warnings, warnings_total: total } = this.facts;
    if (total === 0) return null;
    const items = warnings.map(({ path, message }) => el("li", {}, el("code", {}, path), ` ${message}`));
    const more = total - warnings.length;
    if (more > 0) items.push(el("li", {}, `and ${formatCount(more)} more`));
    return this.section("This page is incomplete", el("ul", { class: "warnings" }, items));
  }
}
