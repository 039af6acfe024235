// The table of a closure: every named path with all columns.
import { Grid } from "./grid.js";
import { el, fill } from "./dom.js";
import { formatSize, counted } from "./format.js";

// Columns by the keys of `report`: heading, type.
const COLUMNS = [
  ["name", "Name", "text"],
  ["physical_size", "Physical", "size"],
  ["retained_physical_size", "Retained physical", "size"],
  ["disk_size", "Disk size", "size"],
  ["retained_disk_size", "Retained disk", "size"],
  ["nar_size", "NAR size", "size"],
  ["retained_nar_size", "Retained NAR", "size"],
  ["closure_physical_size", "Closure physical", "size"],
  ["closure_disk_size", "Closure disk", "size"],
  ["closure_nar_size", "Closure NAR", "size"],
  ["shared_size", "Shared", "size"],
  ["reclaimable_size", "Reclaimable", "size"],
  ["reclaimable_physical_size", "Reclaimable physical", "size"],
  ["uncompressed_size", "Uncompressed", "size"],
  ["referenced_size", "Referenced", "size"],
  ["inline_size", "Inline", "size"],
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

export class Table extends Grid {
  constructor(census, app) {
    super(app, "All paths", "Show only paths of at least this size");
    Object.assign(this, { census, picked: new Set() });
    const all = this.button("Select all shown", () => this.pickThese(new Set(this.rows)));
    const none = this.button("Select none", () => this.pickThese(new Set()));
    fill(this.toolbar, this.filter, this.least, this.sum, all, none, this.copier);
    this.columns = COLUMNS.filter(([key]) => this.has(key));
    this.sortedFirst = `${app.sizes[0]}_size`;
  }

  has(key) {
    if (["name", "path"].includes(key)) return true;
    if (key === "retained_nar_size") return true;
    if (key === "retained_physical_size") return this.census.physical;
    if (key.startsWith("retained_")) return this.census.disk;
    return this.census.columns[key] !== undefined;
  }

  width(key, type) {
    return super.width(key, type) + (key.includes("_physical_") ? 34 : 0);
  }

  value(key, path) {
    const { census, app } = this;
    switch (key) {
      case "path":
        return app.paths.full(path);
      case "retained_physical_size":
        return this.retained("physical", path);
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

  get current() {
    return this.app.state.now.path;
  }

  goTo(path) {
    this.app.state.set({ path }, false);
  }

  open(path) {
    this.app.state.set({ view: "map", path, at: this.app.room(path) });
  }

  show(now) {
    this.state = this.app.left;
    this.refresh(now.changes, this.app.size);
    this.showSum();
  }

  // The paths to show.
  allRows() {
    const { test, least } = this.asked();
    const names = this.census.columns.name;
    const rows = [];
    for (let path = 0; path < this.census.paths; path++) {
      if (this.state.above[path] === -2) continue;
      if (test && !test(names[path])) continue;
      if (least > 0 && !(this.app.weight(path) >= least)) continue;
      rows.push(path);
    }
    this.picked = new Set([...this.picked].filter((path) => this.state.above[path] !== -2));
    return rows;
  }

  pick(path) {
    const box = el("input", {
      type: "checkbox",
      tabindex: "-1",
      "aria-label": `Select ${this.census.columns.name[path]}`,
      onchange: () => this.togglePicked(path),
    });
    box.checked = this.picked.has(path);
    return box;
  }

  togglePicked(path) {
    const picked = new Set(this.picked);
    if (!picked.delete(path)) picked.add(path);
    this.pickThese(picked);
  }

  pickThese(picked) {
    this.picked = picked;
    this.showSum();
    this.draw();
  }

  // What is selected takes together, each inode and each extent once; without a selection what is shown.
  showSum() {
    const some = this.picked.size > 0;
    const { nar, disk, physical, paths } = this.census.sum(some ? this.picked : this.rows);
    const size = (bytes, label) => [" · ", el("data", { value: bytes, dataset: { key: label } }, formatSize(bytes)), ` ${label}`];
    fill(
      this.sum,
      el("b", {}, counted(paths, "path")),
      some ? " selected" : "",
      Number.isNaN(physical) ? null : size(physical, "physical"),
      Number.isNaN(disk) ? null : size(disk, "on disk"),
      Number.isNaN(nar) ? null : size(nar, "NAR"),
    );
  }

  // What is selected, else all that is shown.
  get chosen() {
    return this.picked.size > 0 ? this.rows.filter((path) => this.picked.has(path)) : this.rows;
  }
}
