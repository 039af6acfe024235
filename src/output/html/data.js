// The data island: inflates it and reads its columns, as mod.rs describes them.

export async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  number() {
    let byte = this.bytes[this.at++];
    if (byte < 0x80) return byte;
    let n = byte & 0x7f;
    let factor = 0x80;
    do {
      byte = this.bytes[this.at++];
      n += (byte & 0x7f) * factor;
      factor *= 0x80;
    } while (byte >= 0x80);
    return n;
  }
}

// Numbers become a Float64Array; what is not known is NaN.
function numbers(reader, count, signed) {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const n = reader.number();
    if (n === 0) values[i] = NaN;
    else if (!signed) values[i] = n - 1;
    else values[i] = (n - 1) % 2 === 0 ? (n - 1) / 2 : -n / 2;
  }
  return values;
}

// Lists become rows end to end: those of list i are targets[offsets[i]..offsets[i + 1]].
function lists(reader, count, bytes) {
  const offsets = new Uint32Array(count + 1);
  const targets = new Uint32Array(bytes);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.number();
    let value = 0;
    for (let k = 0; k < length; k++) {
      value += reader.number();
      targets[end++] = value;
    }
    offsets[i + 1] = end;
  }
  return { offsets, targets: targets.slice(0, end) };
}

export function readIsland(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const columns = {};
  let at = 4 + length;
  for (const [key, type, size, count] of head.columns) {
    const part = bytes.subarray(at, at + size);
    at += size;
    const reader = new Reader(part);
    if (type === "texts") columns[key] = new TextDecoder().decode(part).split("\0").slice(0, count);
    else if (type === "lists") columns[key] = lists(reader, count, size);
    else columns[key] = numbers(reader, count, type === "signed");
  }
  return { facts: head.facts, columns };
}
