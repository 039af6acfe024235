// Numbers and times as people read them; sizes as the program's tables have them.

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];

export const UNKNOWN = "–";

export function formatSize(bytes) {
  if (Number.isNaN(bytes) || bytes === undefined) return UNKNOWN;
  const sign = bytes < 0 ? "−" : "";
  let value = Math.abs(bytes) / 1024;
  let unit = 0;
  while (value >= 1024 && unit + 1 < UNITS.length) {
    value /= 1024;
    unit++;
  }
  return `${sign}${value.toFixed(1)} ${UNITS[unit]}`;
}

// A difference, with its sign.
export function formatChange(bytes) {
  if (bytes === 0) return "±0";
  return bytes > 0 ? `+${formatSize(bytes)}` : formatSize(bytes);
}

export function formatCount(n) {
  if (Number.isNaN(n) || n === undefined) return UNKNOWN;
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export function counted(n, what, several = `${what}s`) {
  return `${formatCount(n)} ${n === 1 ? what : several}`;
}

export function formatPart(part, whole) {
  if (!(whole > 0) || Number.isNaN(part)) return UNKNOWN;
  return `${((100 * part) / whole).toFixed(1)}%`;
}

// A time in UTC, so that a page looks the same wherever it is opened.
export function formatTime(seconds) {
  if (Number.isNaN(seconds) || seconds === undefined) return UNKNOWN;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

export function formatDay(seconds) {
  const time = formatTime(seconds);
  return time.length > 10 && time.endsWith("UTC") ? time.slice(0, 10) : time;
}
