// What is shown, kept in the URL's fragment, so that a link shows what was seen.

const DEFAULTS = {
  view: "map",
  at: -1,
  path: -1,
  size: "",
  color: "kind",
  query: "",
  theme: "",
  ways: false,
  sort: "",
  filter: "",
  least: "",
  changes: [],
};

// What these can be.
export const CHOICES = {
  view: ["map", "table", "graph"],
  color: ["kind", "package", "age"],
  size: ["", "nar", "disk"],
  theme: ["", "light", "dark"],
};

export class State {
  constructor(census) {
    this.census = census;
    this.byKey = new Map();
    const { hash_part: hashes, name: names } = census.columns;
    for (let path = 0; path < census.paths; path++) {
      // Only a forged store has a hash part twice.
      if (!this.byKey.has(hashes[path])) this.byKey.set(hashes[path], path);
      else this.byKey.set(`${hashes[path]}-${names[path]}`, path);
    }
    this.listeners = [];
    this.now = this.read();
    addEventListener("popstate", () => {
      const before = this.now;
      this.now = this.read();
      this.tell(before);
    });
  }

  // Tells what is shown from then on, and what was before.
  listen(listener) {
    this.listeners.push(listener);
  }

  tell(before) {
    for (const listener of this.listeners) listener(this.now, before);
  }

  // Shows something else. What the user would want to come back from is a step of the
  // browser's history; typing is not.
  set(patch, step = true) {
    const before = this.now;
    this.now = { ...before, ...patch };
    const fragment = this.fragment();
    if (fragment !== location.hash) {
      const url = fragment || location.pathname + location.search;
      if (step) history.pushState(null, "", url);
      else history.replaceState(null, "", url);
    }
    this.tell(before);
  }

  // What stands for a path: its hash part, if that is of one path.
  key(path) {
    const { hash_part: hashes, name: names } = this.census.columns;
    return this.byKey.get(hashes[path]) === path ? hashes[path] : `${hashes[path]}-${names[path]}`;
  }

  fragment() {
    const parts = new URLSearchParams();
    for (const [key, value] of Object.entries(this.now)) {
      if (key === "changes") {
        if (value.length > 0) parts.set("without", value.map((c) => this.written(c)).join(","));
      } else if (value !== DEFAULTS[key]) {
        const isPath = key === "at" || key === "path";
        parts.set(key, isPath ? this.key(value) : value === true ? "yes" : value);
      }
    }
    const text = parts.toString();
    return text === "" ? "" : `#${text}`;
  }

  written({ action, path, other }) {
    const paths = action === "remove" ? [path] : [path, other];
    return [action, ...paths.map((p) => this.key(p))].join(":");
  }

  // What a fragment does not say, or says of another closure, is as at first.
  read() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const now = { ...DEFAULTS };
    for (const key of Object.keys(DEFAULTS)) {
      const text = parts.get(key);
      if (text === null || key === "changes") continue;
      if (key === "at" || key === "path") now[key] = this.byKey.get(text) ?? -1;
      else if (key === "ways") now[key] = text === "yes";
      else now[key] = text;
    }
    for (const [key, values] of Object.entries(CHOICES)) {
      if (!values.includes(now[key])) now[key] = DEFAULTS[key];
    }
    for (const written of (parts.get("without") ?? "").split(",")) {
      const [action, ...keys] = written.split(":");
      const [path, other] = keys.map((key) => this.byKey.get(key) ?? -1);
      if (action === "remove" && keys.length === 1 && path >= 0) {
        now.changes = [...now.changes, { action, path }];
      } else if (["cut", "replace"].includes(action) && keys.length === 2 && path >= 0 && other >= 0) {
        now.changes = [...now.changes, { action, path, other }];
      }
    }
    return now;
  }
}
