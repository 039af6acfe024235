// The search: marks what it finds as one types, and jumps to it.
import { el, fill } from "./dom.js";
import { formatSize } from "./format.js";

const MOST_FOUND = 12;

// A test of names: a glob where there is one, else words that must all occur. Case counts
// only where it is written.
export function matcher(query) {
  const text = query.trim();
  if (text === "") return null;
  const sensitive = text !== text.toLowerCase();
  const fold = (name) => (sensitive ? name : name.toLowerCase());
  if (/[*?]/.test(text)) {
    const pattern = text.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
    const glob = new RegExp(`^${pattern}$`, sensitive ? "s" : "is");
    return (name) => glob.test(name);
  }
  const words = text.split(/\s+/);
  return (name) => words.every((word) => fold(name).includes(word));
}

// Searches `names`; of each there may be another name and a hash part.
export class Search {
  constructor(app, { names, others, hashes }) {
    Object.assign(this, { app, names, others, hashes });
    this.input = app.shell.search;
    this.results = app.shell.results;
    this.found = [];
    this.chosen = -1;
    this.input.addEventListener("input", () => {
      this.app.state.set({ query: this.input.value }, false);
      this.offer();
    });
    this.input.addEventListener("focus", () => this.offer());
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.input.addEventListener("keydown", (event) => this.key(event));
  }

  // All that the query finds, ascending.
  matches(query) {
    const test = matcher(query);
    if (!test) return [];
    const { names, hashes } = this;
    const hash = query.trim().replace(/^.*\//, "").slice(0, 32);
    const found = [];
    for (let at = 0; at < names.length; at++) {
      const byHash = hash.length >= 7 && hashes?.[at].startsWith(hash);
      if (byHash || test(names[at])) found.push(at);
    }
    return found;
  }

  // The same, those named exactly so first, then the heaviest.
  find(query) {
    const { names, others, app } = this;
    const text = query.trim();
    const weight = (at) => Math.abs(app.weight(at)) || 0;
    const exact = (at) => (names[at] === text || others?.[at] === text ? 1 : 0);
    return this.matches(query).sort((a, b) => exact(b) - exact(a) || weight(b) - weight(a) || a - b);
  }

  offer() {
    this.found = this.find(this.input.value);
    this.chosen = -1;
    const shown = this.found.slice(0, MOST_FOUND);
    const items = shown.map((path, at) =>
      el(
        "li",
        { role: "option", id: `result-${at}`, "aria-selected": "false", onmousedown: (event) => {
          event.preventDefault();
          this.jump(path);
        } },
        el("span", { class: "name" }, this.names[path]),
        el("span", { class: "size" }, formatSize(this.app.weight(path))),
      ),
    );
    const more = this.found.length - shown.length;
    if (more > 0) items.push(el("li", { class: "note", role: "presentation" }, `${more} more are marked`));
    if (this.found.length === 0 && this.input.value.trim() !== "") {
      items.push(el("li", { class: "note", role: "presentation" }, "Nothing is called so"));
    }
    fill(this.results, items);
    this.results.hidden = items.length === 0;
    this.input.setAttribute("aria-expanded", String(items.length > 0));
    this.app.announce(this.input.value.trim() === "" ? "" : `${this.found.length} found`);
  }

  close() {
    this.results.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  choose(at) {
    const items = this.results.querySelectorAll('[role="option"]');
    if (items.length === 0) return;
    this.chosen = (at + items.length) % items.length;
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === this.chosen)));
    this.input.setAttribute("aria-activedescendant", `result-${this.chosen}`);
  }

  jump(path) {
    this.close();
    this.input.blur();
    this.app.jump(path);
  }

  key(event) {
    if (event.key === "ArrowDown") this.choose(this.chosen + 1);
    else if (event.key === "ArrowUp") this.choose(this.chosen < 0 ? -1 : this.chosen - 1);
    else if (event.key === "Enter") {
      const path = this.found[Math.max(0, this.chosen)];
      if (path !== undefined) this.jump(path);
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.app.state.set({ query: "" }, false);
      this.input.blur();
      this.close();
      this.app.focusView();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
