//! One page for a browser, with all that it needs inside: no network, no other file.
//!
//! A page is `page.html` with the style, the scripts and the data put in. The scripts
//! are those ES modules of this directory that its kind needs, joined into one ([`join`]), and a file of
//! d3-hierarchy as it is published (`vendor/`). The data is an island of base64: no text
//! of what was examined stands in the page as it is, and the scripts show such text only
//! as text, never as markup. A Content-Security-Policy lets nothing run or load but the
//! style and the scripts, by their hashes.
//!
//! The island is deflated, as raw as `DecompressionStream` takes it (`deflate-raw`):
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the head, little-endian |
//! | … | the head: JSON with `facts`, and `columns` as `[key, type, bytes, values]` |
//! | … | the columns, one after the other |
//!
//! Numbers are in base 128, the lowest seven bits first and the highest bit set on all
//! bytes but the last (LEB128). A column of type `numbers` holds for each value that
//! value plus one, 0 where it is not known; `signed` the same of zigzag (2n, or −2n−1
//! below 0); `texts` UTF-8, each followed by a zero byte; `lists` for each list its
//! length, then the differences from one to the next, the first from 0.

mod scripts;
#[cfg(test)]
mod tests;

use crate::answer::page::{Page, Values};
use data_encoding::BASE64;
use flate2::{Compression, write::DeflateEncoder};
use scripts::{join, modules};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// d3-hierarchy 3.1.2 as published to npm (`dist/d3-hierarchy.min.js`), after its licence.
const TREEMAP: &str = concat!(
    "/*\n",
    include_str!("vendor/d3-hierarchy.LICENSE"),
    "*/\n",
    include_str!("vendor/d3-hierarchy.min.js")
);

/// Writes a page.
///
/// # Errors
/// If writing fails.
pub(crate) fn write(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let script = join(&modules(page.kind));
    let policy = format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(TREEMAP),
        hash(&script),
        hash(STYLE),
    );
    let parts = [
        ("{{policy}}", policy.as_str()),
        ("{{title}}", &text(&page.title)),
        ("{{style}}", STYLE),
        ("{{treemap}}", TREEMAP),
        ("{{script}}", &script),
    ];
    // Each part stands once, in this order; what a part holds is not searched again.
    let mut rest = FRAME;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).expect("the frame has each mark");
        out.write_all(before.as_bytes())?;
        out.write_all(part.as_bytes())?;
        rest = after;
    }
    let (before, after) = rest.split_once("{{data}}").expect("the frame has each mark");
    out.write_all(before.as_bytes())?;
    out.write_all(BASE64.encode(&island(page)?).as_bytes())?;
    out.write_all(after.as_bytes())
}

/// What a Content-Security-Policy calls a script or style by.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)))
}

/// A text as HTML shows it.
fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The data of a page, deflated.
fn island(page: &Page) -> io::Result<Vec<u8>> {
    let mut columns = Vec::new();
    let mut body = Vec::new();
    for (key, values) in &page.columns {
        let start = body.len();
        let (kind, count) = encode(values, &mut body);
        columns.push(json!([key, kind, body.len() - start, count]));
    }
    let facts: serde_json::Map<_, _> =
        page.facts.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let head = serde_json::to_vec(&json!({ "facts": facts, "columns": columns }))?;
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::new(9));
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    deflated.write_all(&length.to_le_bytes())?;
    deflated.write_all(&head)?;
    deflated.write_all(&body)?;
    deflated.finish()
}

/// Appends the values of a column; its type and how many they are.
fn encode(values: &Values, out: &mut Vec<u8>) -> (&'static str, usize) {
    match values {
        Values::Numbers(numbers) => {
            numbers.iter().for_each(|n| put(out, n.map_or(0, |n| n + 1)));
            ("numbers", numbers.len())
        }
        Values::Signed(numbers) => {
            let zigzag = |n: i64| ((n << 1) ^ (n >> 63)) as u64 + 1;
            numbers.iter().for_each(|n| put(out, n.map_or(0, zigzag)));
            ("signed", numbers.len())
        }
        Values::Texts(texts) => {
            for text in texts {
                out.extend_from_slice(text.replace('\0', "\u{fffd}").as_bytes());
                out.push(0);
            }
            ("texts", texts.len())
        }
        Values::Lists(rows) => {
            for row in rows.iter() {
                put(out, row.len() as u64);
                let mut before = 0;
                for &n in row {
                    put(out, u64::from(n - before));
                    before = n;
                }
            }
            ("lists", rows.len())
        }
    }
}

/// Appends a number in base 128.
fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
