// What is shown, kept in the URL's fragment, so that a link shows what was seen.

export class State {
  // `defaults` has each key with what it is at first; `choices` what some can be; and
  // `codecs` how some are written and read: { name, write(value), read(text) }, where
  // `name` is what it is called in the fragment, if not as its key.
  constructor({ defaults, choices, codecs = {} }) {
    Object.assign(this, { defaults, choices, codecs });
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

  fragment() {
    const parts = new URLSearchParams();
    for (const [key, value] of Object.entries(this.now)) {
      if (value === this.defaults[key]) continue;
      const codec = this.codecs[key];
      const text = codec ? codec.write(value) : value;
      if (text !== "") parts.set(codec?.name ?? key, text);
    }
    const text = parts.toString();
    return text === "" ? "" : `#${text}`;
  }

  // What a fragment does not say, or says of something else, is as at first.
  read() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const now = { ...this.defaults };
    for (const key of Object.keys(now)) {
      const codec = this.codecs[key];
      const text = parts.get(codec?.name ?? key);
      if (text === null) continue;
      const value = codec ? codec.read(text) : text;
      if (this.choices[key]?.includes(value) ?? true) now[key] = value;
    }
    return now;
  }
}
