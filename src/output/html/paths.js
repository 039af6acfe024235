// What the paths of a census are called: on the page, in its address, on a command line.
export class Paths {
  constructor(census) {
    this.census = census;
    const { hash_part: hashes, name: names } = census.columns;
    this.hashes = hashes;
    this.names = names;
    this.byKey = new Map();
    for (let path = 0; path < names.length; path++) {
      // Only a forged store has a hash part twice.
      if (!this.byKey.has(hashes[path])) this.byKey.set(hashes[path], path);
      else this.byKey.set(`${hashes[path]}-${names[path]}`, path);
    }
  }

  full(path) {
    return `${this.census.facts.store_dir}/${this.hashes[path]}-${this.names[path]}`;
  }

  // What stands for a path: its hash part, if that is of one path.
  key(path) {
    return this.byKey.get(this.hashes[path]) === path ? this.hashes[path] : `${this.hashes[path]}-${this.names[path]}`;
  }

  // The path that a key stands for, or -1.
  find(key) {
    return this.byKey.get(key) ?? -1;
  }

  // The name of a path; where another is called the same, with the beginning of its hash.
  label(path) {
    const name = this.names[path];
    return this.timesNamed(name) === 1 ? name : `${this.hashes[path].slice(0, 7)}-${name}`;
  }

  timesNamed(name) {
    if (!this.named) {
      this.named = new Map();
      for (const one of this.names) this.named.set(one, (this.named.get(one) ?? 0) + 1);
    }
    return this.named.get(name);
  }

  // A name that `what-if` takes for one path: as the program's suggestions have it.
  handle(path) {
    const name = this.names[path];
    const plain = /^[A-Za-z0-9+_][A-Za-z0-9+._-]*$/.test(name) && this.census.groups === 0;
    return plain && this.timesNamed(name) === 1 ? name : this.hashes[path];
  }

  // The codec of a path in the address.
  get codec() {
    return { write: (path) => (path >= 0 ? this.key(path) : ""), read: (text) => this.find(text) };
  }

  // The codec of changes: cut:FROM:TO, remove:PATH, replace:OLD:NEW.
  get changesCodec() {
    const written = ({ action, path, other }) =>
      [action, ...(action === "remove" ? [path] : [path, other]).map((one) => this.key(one))].join(":");
    return {
      name: "without",
      write: (changes) => changes.map(written).join(","),
      read: (text) => text.split(",").map((change) => this.readChange(change)).filter((change) => change),
    };
  }

  readChange(text) {
    const [action, ...keys] = text.split(":");
    const [path, other] = keys.map((key) => this.find(key));
    if (action === "remove" && keys.length === 1 && path >= 0) return { action, path };
    const two = ["cut", "replace"].includes(action) && keys.length === 2;
    return two && path >= 0 && other >= 0 ? { action, path, other } : null;
  }
}
