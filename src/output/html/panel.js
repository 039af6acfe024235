// The side panel: all that is known of a path; without one, of all that is examined.
import { Details } from "./details.js";
import { el, fill, sizeElement } from "./dom.js";
import { formatCount, formatPart, formatTime, counted, UNKNOWN } from "./format.js";
import { kindsOf, colorOfKind } from "./colors.js";

export class Panel extends Details {
  constructor(census, app) {
    super(census.facts, app, 6);
    this.census = census;
  }

  // Most of what is done in a view, such as typing, changes nothing here.
  show(path, state) {
    const { size } = this.app;
    if (path === this.path && state === this.state && size === this.size) return;
    if (path !== this.path) this.open.clear();
    Object.assign(this, { path, state, size });
    this.draw();
  }

  draw() {
    if (this.path < 0) fill(this.element, this.overview());
    else fill(this.element, this.ofPath(this.path));
  }

  // A path by its name; a click goes there.
  link(path, ...more) {
    const { census } = this;
    const gone = this.state.above[path] === -2;
    return el(
      "button",
      {
        class: gone ? "path gone" : "path",
        title: this.app.paths.full(path),
        onclick: () => this.app.select(path),
      },
      this.app.paths.label(path),
      ...more,
    );
  }

  // Paths with sizes, heaviest first.
  pathList(title, paths, weight, { badge, ...more } = {}) {
    const sorted = [...paths].sort((a, b) => (weight(b) || 0) - (weight(a) || 0) || a - b);
    const item = (path) =>
      el("li", {}, this.link(path), badge?.(path) ?? null, el("span", { class: "size" }, sizeElement(weight(path))));
    return this.list(title, sorted, item, more);
  }

  ofPath(path) {
    const { census, state } = this;
    const { columns: c, physical } = census;
    const of = (key) => c[key]?.[path] ?? NaN;
    const gone = state.above[path] === -2;
    const size = (label, key) => this.row(label, sizeElement(of(key)));
    const retained = (label, key) =>
      this.row(
        label,
        gone ? el("span", { class: "unknown" }, "gone") : sizeElement(census.retainedSize(state, key, path)),
        gone ? null : formatPart(census.retainedSize(state, key, path), state.total[key]),
      );
    const weight = (node) => this.app.weight(node);
    const isPath = (node) => census.isPath(node);
    const references = [...census.row(state.rows, path)].filter((to) => isPath(to) && to !== path);
    const referrers = gone ? [] : [...census.referrers(state, path)].filter((from) => isPath(from) && from !== path);
    const alone = (from, to) => this.app.alone(from, to);
    const holds = (to) => (alone(path, to) ? el("span", { class: "badge", title: "Cutting this reference frees what it retains" }, "alone") : null);
    const held = (from) => (alone(from, path) ? el("span", { class: "badge", title: "Cutting this reference frees what the path retains" }, "alone") : null);
    const chain = gone ? [] : census.chain(state, path).filter(isPath);
    const kids = (state.children.get(path) ?? []).filter(isPath);
    const family = of("family");
    const variants = Number.isNaN(family)
      ? []
      : [...c.family.keys()].filter((other) => c.family[other] === family && other !== path);
    const beyond = c.referrers_beyond[path];
    const removed = this.app.isRemoved(path);
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, c.name[path]), el("code", { class: "full" }, this.app.paths.full(path))),
      el(
        "div",
        { class: "actions" },
        el(
          "button",
          { class: "action", "aria-keyshortcuts": "x", "aria-pressed": String(removed), onclick: () => this.app.toggleRemoved(path) },
          removed ? "Restore" : "Remove",
          el("kbd", {}, "x"),
        ),
        el(
          "button",
          { class: "action", "aria-keyshortcuts": "g", onclick: () => this.app.state.set({ view: "graph", path }) },
          "Graph",
          el("kbd", {}, "g"),
        ),
        el("button", { class: "action", onclick: () => this.app.copy(this.app.paths.full(path), "Path copied") }, "Copy path"),
      ),
      gone ? el("p", { class: "warn" }, "This path is gone: nothing that is left refers to it.") : null,
      el(
        "dl",
        { class: "sizes" },
        physical ? retained("Retained physical", "physical") : null,
        retained("Retained on disk", "disk"),
        retained("Retained NAR", "nar"),
        physical ? size("Physical size", "physical_size") : null,
        size("Disk size", "disk_size"),
        size("NAR size", "nar_size"),
        physical ? size("Uncompressed", "uncompressed_size") : null,
        physical ? size("Referenced", "referenced_size") : null,
        physical ? size("Inline", "inline_size") : null,
        size("Shared with others", "shared_size"),
        size("Freed by deleting it", "reclaimable_size"),
        physical ? size("Physical freed by it", "reclaimable_physical_size") : null,
        physical ? size("Closure physical", "closure_physical_size") : null,
        size("Closure on disk", "closure_disk_size"),
        size("Closure NAR", "closure_nar_size"),
      ),
      chain.length > 1
        ? this.section("Why it is here", el("ol", { class: "chain" }, chain.map((node) => el("li", {}, this.link(node)))))
        : null,
      this.kinds(path),
      this.files(path),
      this.pathList("Retains", kids, (node) => census.retainedSize(state, this.size, node), {
        note: "What goes with it, and what each of that retains.",
        unnamed: census.hasUnnamed(state.children.get(path) ?? []),
      }),
      this.pathList("References", references, weight, {
        badge: holds,
        unnamed: census.hasUnnamed(census.row(state.rows, path)),
      }),
      this.pathList("Referrers", referrers, weight, {
        badge: held,
        unnamed: !gone && census.hasUnnamed(census.referrers(state, path)),
        note: beyond > 0 ? `${counted(beyond, "more path")} of the store, outside of what is examined, refer to it.` : null,
      }),
      this.pathList("Variants", variants, weight),
      this.section(
        "More",
        el(
          "dl",
          { class: "facts" },
          this.fact("Package", [c.package[path], c.package_version?.[path]].filter(Boolean).join(" ")),
          this.fact("Output", c.output?.[path]),
          this.fact("Files", formatCount(of("files"))),
          this.fact("Directories", formatCount(of("directories"))),
          this.fact("Symlinks", formatCount(of("symlinks"))),
          this.fact("Inodes", formatCount(of("inodes"))),
          this.fact("Registered", formatTime(of("registration_time"))),
          this.fact("Deriver", c.deriver?.[path]),
          this.fact("Content address", c.ca?.[path]),
        ),
      ),
    ];
  }

  fact(label, text) {
    if (!text || text === UNKNOWN) return null;
    return this.row(label, text);
  }

  // What a path's NAR is made of.
  kinds(path) {
    const all = kindsOf(this.census, path);
    if (all.length === 0) return null;
    const total = all.reduce((sum, { size }) => sum + size, 0);
    const bar = el("div", { class: "bar", "aria-hidden": "true" });
    for (const { kind, size } of all) {
      const part = el("span");
      part.style.flexGrow = String(size / total);
      part.style.background = colorOfKind(this.census, kind);
      bar.append(part);
    }
    const items = all.slice(0, this.most).map(({ kind, size }) =>
      el(
        "li",
        { title: this.census.facts.kinds[kind][1] },
        this.app.swatch(colorOfKind(this.census, kind)),
        this.census.facts.kinds[kind][0],
        el("span", { class: "size" }, sizeElement(size)),
      ),
    );
    return this.section("Contents by kind, in its NAR", bar, el("ul", { class: "kinds" }, items));
  }

  files(path) {
    const files = this.app.filesOf(path);
    if (files.length === 0) return null;
    const items = files.map(({ name, size }) =>
      el("li", {}, el("code", {}, name || "the path itself"), el("span", { class: "size" }, sizeElement(size))),
    );
    return this.section("Largest files", el("ul", { class: "files" }, items));
  }

  overview() {
    const { census, state } = this;
    const { facts } = census;
    const total = facts.total;
    const known = (n) => (n === null ? NaN : n);
    const own = (path) => this.app.weight(path) || 0;
    return [
      el("header", {}, el("h2", { tabindex: "-1" }, facts.title), el("code", { class: "full" }, facts.store_dir)),
      el(
        "dl",
        { class: "sizes" },
        census.physical ? this.row("Physical size", sizeElement(known(total.physical_size))) : null,
        this.row("Disk size", sizeElement(known(total.disk_size))),
        this.row("NAR size", sizeElement(known(total.nar_size))),
        this.row("Apparent size", sizeElement(known(total.apparent_size))),
        this.row("Paths", this.count(total.paths)),
        this.row("Inodes", total.inodes === null ? UNKNOWN : this.count(total.inodes)),
      ),
      this.sizesNote(),
      facts.folded_paths > 0
        ? el(
            "p",
            { class: "note" },
            `This page names the ${formatCount(census.paths)} paths that retain most. The other ` +
              `${formatCount(facts.folded_paths)} are summed up where they belong, so that all sums are exact.`,
          )
        : null,
      this.suggestions(),
      this.pathList("Heaviest paths", this.heaviest(12), own),
      this.warnings(),
      el(
        "p",
        { class: "note" },
        "A box holds what goes when it goes. Click one to enter it; the trail above leads back. ",
        "Press ? for all keys.",
      ),
    ].map((part) => part ?? null);
  }

  // The heaviest paths that are left.
  heaviest(most) {
    const found = [];
    const weight = (path) => this.app.weight(path) || 0;
    for (let path = 0; path < this.census.paths; path++) {
      if (this.state.above[path] === -2) continue;
      if (found.length === most && weight(path) <= weight(found[most - 1])) continue;
      let at = found.length;
      while (at > 0 && weight(found[at - 1]) < weight(path)) at--;
      found.splice(at, 0, path);
      found.length = Math.min(found.length, most);
    }
    return found;
  }

  suggestions() {
    if (this.census.facts.suggestions === null) {
      return el("p", { class: "note" }, "Of so many paths nothing is suggested here; ask nix-census suggest.");
    }
    const gainOf = (s) => s[`gain_${this.size}_size`] ?? 0;
    // What gains only after others is for the program's own list.
    const all = this.census.facts.suggestions.filter((s) => gainOf(s) > 0);
    if (all.length === 0) return null;
    const items = all.map((suggestion) => {
      const active = this.app.hasChange(suggestion);
      return el(
        "li",
        {},
        el(
          "button",
          { class: "suggestion", "aria-pressed": String(active), onclick: () => this.app.toggleChange(suggestion) },
          el("span", { class: "what" }, this.app.sentence(suggestion)),
          el("span", { class: "size" }, "−", sizeElement(gainOf(suggestion))),
        ),
      );
    });
    return this.section(
      "Try it",
      el("p", { class: "note" }, "What nix-census suggests; each figure is for that change alone."),
      el("ul", { class: "suggestions" }, items),
    );
  }
}
