// What colours mean. Eight hues that all kinds of colour vision tell apart (Okabe and
// Ito 2008), and one scale from dark blue to yellow for age (as cividis).

const HUES = {
  blue: "#0072b2",
  sky: "#56b4e9",
  green: "#009e73",
  yellow: "#e8d63c",
  orange: "#e69f00",
  red: "#d55e00",
  pink: "#cc79a7",
  grey: "#98a1ad",
};

// Kinds of files in groups, as many as there are hues.
const KIND_GROUPS = [
  ["Programs", HUES.blue, ["executables"]],
  ["Libraries", HUES.sky, ["libraries"]],
  ["Scripts, bytecode", HUES.orange, ["scripts", "bytecode"]],
  ["Kernel, firmware", HUES.red, ["modules", "firmware"]],
  ["Documentation, locales", HUES.yellow, ["man", "info", "doc", "locale"]],
  ["Development", HUES.pink, ["headers", "static", "pkgconfig", "debug", "tests"]],
  ["Sources", HUES.green, ["sources"]],
  ["Data and other", HUES.grey, null],
];

const OTHER = KIND_GROUPS.length - 1;
const AGES = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"];

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

export function mix(a, b, part) {
  const [from, to] = [rgb(a), rgb(b)];
  const hex = from.map((value, i) => Math.round(value + (to[i] - value) * part));
  return `#${hex.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

// Black or white, whichever is read better on a colour (WCAG's contrast).
export function inkOn(color) {
  const [r, g, b] = rgb(color).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

// The kinds of a path with what each has in its NAR, largest first.
export function kindsOf(census, path) {
  const { kinds, kind_sizes: sizes } = census.columns;
  if (!kinds) return [];
  const all = [];
  for (let k = kinds.offsets[path]; k < kinds.offsets[path + 1]; k++) {
    all.push({ kind: kinds.targets[k], size: sizes[k] });
  }
  return all.sort((a, b) => b.size - a.size);
}

function groupOfKind(census, kind) {
  const key = census.facts.kinds[kind][0];
  const group = KIND_GROUPS.findIndex(([, , keys]) => keys?.includes(key));
  return group < 0 ? OTHER : group;
}

// The group that most of a path is of; directories and symlinks say nothing.
function groupOf(census, path) {
  const sums = new Float64Array(KIND_GROUPS.length);
  let any = false;
  for (const { kind, size } of kindsOf(census, path)) {
    const key = census.facts.kinds[kind][0];
    if (key === "directories" || key === "symlinks") continue;
    sums[groupOfKind(census, kind)] += size;
    any = true;
  }
  return any ? sums.indexOf(Math.max(...sums)) : OTHER;
}

function byKind(census) {
  const group = new Uint8Array(census.paths);
  for (let path = 0; path < census.paths; path++) group[path] = groupOf(census, path);
  return {
    classOf: (path) => group[path],
    color: (path) => KIND_GROUPS[group[path]][1],
    legend: KIND_GROUPS.map(([label, color]) => ({ label, color })),
  };
}

// The packages that take most have hues of their own.
function byPackage(census, weight) {
  const names = census.columns.package;
  const sums = new Map();
  for (let path = 0; path < census.paths; path++) {
    sums.set(names[path], (sums.get(names[path]) ?? 0) + (weight(path) || 0));
  }
  const first = [...sums].sort((a, b) => b[1] - a[1]).slice(0, OTHER);
  const hues = Object.values(HUES);
  const index = new Map(first.map(([name], i) => [name, i]));
  const of = (path) => index.get(names[path]) ?? OTHER;
  return {
    classOf: of,
    color: (path) => hues[of(path)],
    legend: [
      ...first.map(([label], i) => ({ label, color: hues[i] })),
      { label: "All other", color: HUES.grey },
    ],
  };
}

function byAge(census) {
  const times = census.columns.registration_time;
  const known = times ? [...times].filter((t) => !Number.isNaN(t)).sort((a, b) => a - b) : [];
  const distinct = [...new Set(known)];
  // Each colour is of as many paths as another, as far as times differ.
  const bounds = AGES.map((_, i) => known[Math.floor((i * known.length) / AGES.length)]);
  const classOf = (path) => {
    if (!times || Number.isNaN(times[path])) return AGES.length;
    if (distinct.length === 1) return AGES.length - 1;
    let i = AGES.length - 1;
    while (i > 0 && times[path] < bounds[i]) i--;
    return i;
  };
  return {
    classOf,
    color: (path) => AGES[classOf(path)] ?? HUES.grey,
    legend: null,
    scale: { colors: AGES, first: known[0], last: known[known.length - 1] },
  };
}

// The colouring asked for: the class and colour of each path, and a legend.
export function coloring(census, by, weight) {
  if (by === "package") return byPackage(census, weight);
  if (by === "age") return byAge(census);
  return byKind(census);
}

export function colorOfKind(census, kind) {
  return KIND_GROUPS[groupOfKind(census, kind)][1];
}
