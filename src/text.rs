//! Text for people: sizes, times, and names made safe for a terminal.

use jiff::tz::TimeZone;
use std::fmt::Write;

/// How sizes are written in tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// KiB, MiB, GiB with one decimal, as Nix writes them.
    #[default]
    Binary,
    /// kB, MB, GB with one decimal.
    Si,
    /// Bytes.
    Bytes,
}

/// A size for people.
pub(crate) fn format_size(bytes: u64, units: Units) -> String {
    let (base, names): (f64, [&str; 6]) = match units {
        Units::Binary => (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]),
        Units::Si => (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB"]),
        Units::Bytes => return bytes.to_string(),
    };
    // From KiB on, as Nix's renderSize does: the first unit in which the
    // number stays below the base.
    if units == Units::Binary && bytes < EXACT {
        let mut unit = 0;
        while unit + 1 < names.len() && bytes >> (10 * unit + 20) > 0 {
            unit += 1;
        }
        return with_tenth(bytes, 10 * unit + 10, names[unit]);
    }
    let mut value = bytes as f64 / base;
    let mut unit = 0;
    while value >= base && unit + 1 < names.len() {
        value /= base;
        unit += 1;
    }
    format!("{value:.1} {}", names[unit])
}

/// Floating point numbers are exact up to here.
const EXACT: u64 = 1 << 53;

/// A size in a unit of 2^`shift` bytes with one decimal, rounded as floating point numbers
/// are: at once, as tables hold many of them. `bytes` is less than [`EXACT`].
fn with_tenth(bytes: u64, shift: usize, unit: &str) -> String {
    let tenths = bytes * 10;
    let (whole, rest, half) = (tenths >> shift, tenths & ((1 << shift) - 1), 1 << (shift - 1));
    let tenths = whole + u64::from(rest > half || rest == half && whole % 2 == 1);
    let mut text = (tenths / 10).to_string();
    text.reserve(3 + unit.len());
    text.push('.');
    text.push(char::from(b'0' + (tenths % 10) as u8));
    text.push(' ');
    text.push_str(unit);
    text
}

/// A number of things for people: with commas between thousands.
pub(crate) fn format_count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time for people, in a time zone and with its offset from UTC; the number
/// where no calendar has that time.
pub(crate) fn format_time(seconds: i64, time_zone: &TimeZone) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(t) => t.to_zoned(time_zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string(),
        Err(_) => seconds.to_string(),
    }
}

/// A name made safe for a terminal: control characters (also those that turn
/// the direction of writing) and bytes that are not UTF-8 become escapes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    // Nearly all there is to show, in one go: without a branch for each byte.
    if bytes.iter().fold(true, |all, b| all & matches!(b, b' '..=b'~'))
        && let Ok(text) = str::from_utf8(bytes)
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", c as u32);
                }
                c if is_unsafe(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", c as u32);
                }
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
    out
}

/// Whether a character does something to a terminal or draws nothing: control
/// characters, and those that change how others are drawn, such as the ones that
/// turn the direction of writing. No format writes one of an examined name as it is.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(escape(b"a\x1b[31m\n\xff\xc3\xa9"), "a\\x1b[31m\\n\\xffé");
    }

    #[test]
    fn counts_have_commas_between_thousands() {
        let counts = [0, 999, 1000, 1_234_567].map(format_count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn times_with_their_offset() {
        use jiff::tz::TimeZone;
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(format_time(1_784_512_860, &TimeZone::UTC), "2026-07-20 02:01 +00:00");
        assert_eq!(format_time(1_784_512_860, &berlin), "2026-07-20 04:01 +02:00");
        assert_eq!(format_time(1_800_000_000, &berlin), "2027-01-15 09:00 +01:00");
        assert_eq!(format_time(i64::MAX, &berlin), "9223372036854775807");
    }

    #[test]
    fn sizes_in_each_unit() {
        assert_eq!(format_size(1_310_720, Units::Binary), "1.2 MiB");
        assert_eq!(format_size(1_310_720, Units::Si), "1.3 MB");
        assert_eq!(format_size(1_310_720, Units::Bytes), "1310720");
        assert_eq!(format_size(0, Units::Binary), "0.0 KiB");
    }

    #[test]
    fn sizes_are_rounded_as_floating_point_numbers_are() {
        let check = |bytes: u64| {
            let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
            while value >= 1024.0 && unit < 5 {
                (value, unit) = (value / 1024.0, unit + 1);
            }
            let names = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
            let expected = format!("{value:.1} {}", names[unit]);
            assert_eq!(format_size(bytes, Units::Binary), expected, "{bytes}");
        };
        (0..20_000).for_each(check);
        // Around all that lies between two decimals, and where a unit ends.
        for shift in [10, 20, 30, 40, 50, 60] {
            for twentieths in (0..200).chain(20_300..20_500) {
                let at = u64::try_from((u128::from(twentieths as u32) << shift) / 20);
                let Ok(at) = at else { continue };
                [at.saturating_sub(1), at, at.saturating_add(1)].into_iter().for_each(check);
            }
        }
        [EXACT - 1, EXACT, u64::MAX].into_iter().for_each(check);
    }
}
