// Elements. All texts go in as text: names of what is examined are never markup.
import { formatSize, UNKNOWN } from "./format.js";

export function el(tag, properties = {}, ...children) {
  return made(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return made(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function made(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

export const byId = (id) => document.getElementById(id);

// A size, with its bytes for machines and for whoever points at it.
export function sizeElement(bytes) {
  if (Number.isNaN(bytes) || bytes === undefined) return el("span", { class: "unknown" }, UNKNOWN);
  return el("data", { value: bytes, title: `${bytes} bytes` }, formatSize(bytes));
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
