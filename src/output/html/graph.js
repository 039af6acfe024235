// The graph of a census, and what follows from it: what each node retains, what is left
// when references are cut. The same algorithms as the program's, on the same numbers.

// The rows turned round: who holds each node, ascending.
function transpose(rows) {
  const n = rows.offsets.length - 1;
  const offsets = new Uint32Array(n + 1);
  for (const to of rows.targets) offsets[to + 1]++;
  for (let i = 0; i < n; i++) offsets[i + 1] += offsets[i];
  const next = offsets.slice();
  const targets = new Uint32Array(rows.targets.length);
  for (let from = 0; from < n; from++) {
    for (let k = rows.offsets[from]; k < rows.offsets[from + 1]; k++) {
      targets[next[rows.targets[k]]++] = from;
    }
  }
  return { offsets, targets };
}

// Dominators by Semi-NCA, as src/graph/dominators.rs has it. `order` holds the reached
// nodes in depth-first preorder, from place 1; `above` is the dominator of each node:
// another node, -1 for the roots as a whole, -2 where nothing reaches it.
function dominators(rows, roots) {
  const n = rows.offsets.length - 1;
  const number = new Uint32Array(n);
  const node = new Uint32Array(n + 1);
  const parent = new Uint32Array(n + 1);
  let count = 1;
  const stack = new Uint32Array(n + 1);
  const entry = new Uint32Array(n + 1);
  for (const root of roots) {
    if (number[root] !== 0) continue;
    number[root] = count;
    node[count] = root;
    parent[count] = 0;
    let depth = 0;
    stack[0] = count;
    entry[0] = rows.offsets[root];
    count++;
    while (depth >= 0) {
      const from = stack[depth];
      const end = rows.offsets[node[from] + 1];
      let k = entry[depth];
      while (k < end && number[rows.targets[k]] !== 0) k++;
      if (k === end) {
        depth--;
        continue;
      }
      entry[depth] = k + 1;
      const to = rows.targets[k];
      number[to] = count;
      node[count] = to;
      parent[count] = from;
      depth++;
      stack[depth] = count;
      entry[depth] = rows.offsets[to];
      count++;
    }
  }

  // Who refers to each number; the virtual root, number 0, refers to the roots.
  const offsets = new Uint32Array(count + 1);
  for (const root of roots) offsets[number[root] + 1]++;
  for (let v = 1; v < count; v++) {
    for (let k = rows.offsets[node[v]]; k < rows.offsets[node[v] + 1]; k++) {
      offsets[number[rows.targets[k]] + 1]++;
    }
  }
  for (let v = 0; v < count; v++) offsets[v + 1] += offsets[v];
  const next = offsets.slice();
  const referrers = new Uint32Array(offsets[count]);
  for (const root of roots) referrers[next[number[root]]++] = 0;
  for (let v = 1; v < count; v++) {
    for (let k = rows.offsets[node[v]]; k < rows.offsets[node[v] + 1]; k++) {
      referrers[next[number[rows.targets[k]]]++] = v;
    }
  }

  const ancestor = parent.slice(0, count);
  const lowest = new Uint32Array(count);
  for (let v = 0; v < count; v++) lowest[v] = v;
  const semi = new Uint32Array(count);
  const chain = [];
  const compress = (u, v) => {
    let top = u;
    while (ancestor[top] > v) {
      chain.push(top);
      top = ancestor[top];
    }
    while (chain.length > 0) {
      const below = chain.pop();
      const above = ancestor[below];
      if (lowest[above] < lowest[below]) lowest[below] = lowest[above];
      ancestor[below] = ancestor[top];
    }
    return lowest[u];
  };
  for (let v = count - 1; v > 0; v--) {
    let best = v;
    for (let k = offsets[v]; k < offsets[v + 1]; k++) {
      const u = referrers[k];
      const low = u <= v ? u : compress(u, v);
      if (low < best) best = low;
    }
    semi[v] = best;
    lowest[v] = best;
  }

  const dominator = parent.slice(0, count);
  const above = new Int32Array(n).fill(-2);
  for (let v = 1; v < count; v++) {
    let d = dominator[v];
    while (d > semi[v]) d = dominator[d];
    dominator[v] = d;
    above[node[v]] = d === 0 ? -1 : node[d];
  }
  return { above, order: node.subarray(0, count) };
}

// A graph with changes made, one after the other, as `what-if` makes them:
// { action: "remove", path }, { action: "cut", path, other } for the reference from
// `path` to `other`, { action: "replace", path, other } for `other` in place of `path`.
function changed(rows, roots, changes) {
  if (changes.length === 0) return { rows, roots };
  const concerned = new Uint8Array(rows.offsets.length - 1);
  for (const { action, path, other } of changes) {
    concerned[path] = 1;
    if (action !== "remove") concerned[other] = 1;
  }
  const turned = (from, to) => {
    for (const { action, path, other } of changes) {
      if (action === "remove") {
        if (to === path) return -1;
      } else if (action === "cut") {
        if (from === path && to === other) return -1;
      } else if (to === path && from !== to) {
        to = other;
      }
    }
    return to;
  };
  const n = rows.offsets.length - 1;
  const offsets = new Uint32Array(n + 1);
  const targets = new Uint32Array(rows.targets.length);
  let end = 0;
  for (let from = 0; from < n; from++) {
    const start = end;
    let any = false;
    for (let k = rows.offsets[from]; k < rows.offsets[from + 1]; k++) {
      let to = rows.targets[k];
      if (concerned[to]) {
        to = turned(from, to);
        any = true;
      }
      if (to >= 0) targets[end++] = to;
    }
    if (any) {
      const row = targets.subarray(start, end).sort();
      end = start;
      for (let k = 0; k < row.length; k++) {
        if (k === 0 || row[k] !== targets[end - 1]) targets[end++] = row[k];
      }
    }
    offsets[from + 1] = end;
  }
  const left = new Set();
  for (const root of roots) {
    const to = turned(-1, root);
    if (to >= 0) left.add(to);
  }
  return {
    rows: { offsets, targets: targets.slice(0, end) },
    roots: [...left].sort((a, b) => a - b),
  };
}

// A census: the named paths, groups of paths without names, classes of shared inodes;
// those are numbers from 0 on in this order.
export class Census {
  constructor({ facts, columns }) {
    this.facts = facts;
    this.columns = columns;
    this.paths = columns.name.length;
    this.groups = columns.group_paths.length;
    this.classes = columns.classes[0];
    this.nodes = this.paths + this.groups + this.classes;
    this.disk = facts.disk;
    this.physical = facts.physical;
    const n = this.nodes;
    this.nar = new Float64Array(n);
    this.nar.set(columns.nar_size ?? new Float64Array(this.paths).fill(NaN));
    this.nar.set(columns.group_nar_size, this.paths);
    this.knownNar = this.nar.map((size) => (Number.isNaN(size) ? 0 : size));
    this.pathsOf = new Float64Array(n);
    this.pathsOf.fill(1, 0, this.paths);
    this.pathsOf.set(columns.group_paths, this.paths);
    // What each node has itself, of all that is summed up.
    this.own = { nar: this.knownNar, disk: columns.own_disk_size, inodes: columns.own_inodes, paths: this.pathsOf };
    if (this.physical) this.own.physical = columns.own_physical_size;
    this.rows = columns.references;
    this.roots = [...columns.roots.targets];
    this.original = this.reckon([]);
  }

  isPath(node) {
    return node < this.paths;
  }

  isClass(node) {
    return node >= this.paths + this.groups;
  }

  row(rows, node) {
    return rows.targets.subarray(rows.offsets[node], rows.offsets[node + 1]);
  }

  // What is left after some changes: totals, and what each node retains.
  reckon(changes) {
    const { rows, roots } = changed(this.rows, this.roots, changes);
    const tree = dominators(rows, roots);
    const n = this.nodes;
    const sums = Object.keys(this.own);
    const retained = Object.fromEntries(sums.map((key) => [key, new Float64Array(n)]));
    // Which retain a path of unknown NAR size.
    const unknown = new Uint8Array(n);
    let allKnown = !this.facts.unlisted;
    const total = Object.fromEntries(sums.map((key) => [key, 0]));
    for (let v = tree.order.length - 1; v > 0; v--) {
      const node = tree.order[v];
      if (Number.isNaN(this.nar[node])) unknown[node] = 1;
      const up = tree.above[node];
      const into = up >= 0 ? up : null;
      for (const key of sums) {
        retained[key][node] += this.own[key][node];
        if (into === null) total[key] += retained[key][node];
        else retained[key][into] += retained[key][node];
      }
      if (unknown[node] && into !== null) unknown[into] = 1;
      else if (unknown[node]) allKnown = false;
    }
    if (!allKnown) total.nar = NaN;
    const children = new Map();
    const tops = [];
    for (let v = 1; v < tree.order.length; v++) {
      const node = tree.order[v];
      const up = tree.above[node];
      if (up < 0) tops.push(node);
      else if (children.has(up)) children.get(up).push(node);
      else children.set(up, [node]);
    }
    return { changes, rows, roots, above: tree.above, retained, unknown, total, children, tops };
  }

  // What a node retains, as a report states it: not known where it holds a path of
  // unknown size, or where a path that is not listed may refer to anything.
  retainedSize(state, key, node) {
    if (this.facts.unlisted) return NaN;
    if (key === "nar" ? state.unknown[node] : !this.disk || !this.own[key]) return NaN;
    return state.retained[key][node];
  }

  // What some named paths take together on disk, each inode and each extent once, and their
  // NARs.
  sum(paths) {
    const seen = new Set();
    const sum = { nar: 0, disk: this.disk ? 0 : NaN, physical: this.physical ? 0 : NaN, paths: 0 };
    const add = (node) => {
      sum.disk += this.own.disk[node];
      sum.physical += this.own.physical?.[node] ?? NaN;
    };
    for (const path of paths) {
      sum.paths++;
      sum.nar += this.nar[path];
      add(path);
      for (const to of this.row(this.rows, path)) {
        if (this.isClass(to) && !seen.has(to)) {
          seen.add(to);
          add(to);
        }
      }
    }
    return sum;
  }

  // A shortest chain of references from a root to a node.
  chain(state, node) {
    const before = new Int32Array(this.nodes).fill(-2);
    let front = [];
    for (const root of state.roots) {
      before[root] = -1;
      front.push(root);
    }
    while (front.length > 0 && before[node] === -2) {
      const next = [];
      for (const from of front) {
        for (const to of this.row(state.rows, from)) {
          if (before[to] === -2) {
            before[to] = from;
            next.push(to);
          }
        }
      }
      front = next;
    }
    if (before[node] === -2) return [];
    const chain = [];
    for (let at = node; at >= 0; at = before[at]) chain.push(at);
    return chain.reverse();
  }

  // Whether the one reference from `from` is all that holds `to`: cutting it frees all
  // that `to` retains.
  holdsAlone(state, from, to) {
    if (state.above[to] !== from) return false;
    for (const referrer of this.referrers(state, to)) {
      if (referrer !== from && !this.isBelow(state, referrer, to)) return false;
    }
    return true;
  }

  isBelow(state, node, above) {
    for (let at = node; at >= 0; at = state.above[at]) if (at === above) return true;
    return false;
  }

  // Whether a row holds paths that have no names here.
  hasUnnamed(row) {
    return row.some((node) => !this.isPath(node) && !this.isClass(node));
  }

  // Who refers to a node and is still there.
  referrers(state, node) {
    state.referrers ??= transpose(state.rows);
    return this.row(state.referrers, node).filter((from) => state.above[from] !== -2);
  }
}
