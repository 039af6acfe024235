//! Bars: what part of a whole something is.

/// A bar, as long as `long` columns for the largest, and the part of the whole.
pub(super) fn share(n: u64, largest: u64, whole: u64, long: usize, ascii: bool) -> String {
    let bar = bar(n, largest, long, ascii);
    // As far as columns go it is as long as its characters.
    let pad = " ".repeat(long - bar.chars().count());
    format!("{bar}{pad} {}", percent(n, whole))
}

/// A part in percent, in six columns.
fn percent(n: u64, whole: u64) -> String {
    let part = n as f64 * 100.0 / whole as f64;
    match part {
        _ if whole == 0 => " ".repeat(6),
        part if part < 0.05 => " <0.1%".to_owned(),
        part => format!("{part:5.1}%"),
    }
}

fn bar(n: u64, largest: u64, long: usize, ascii: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if largest == 0 {
        return String::new();
    }
    let part = (n as f64 / largest as f64).min(1.0);
    if ascii {
        return "#".repeat((part * long as f64).round() as usize);
    }
    let eighths = (part * (long * 8) as f64).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_of_the_largest_and_percents_of_the_whole() {
        assert_eq!(share(50, 50, 200, 4, false), "████  25.0%");
        assert_eq!(share(25, 50, 200, 4, false), "██    12.5%");
        assert_eq!(share(1, 50, 200, 4, false), "▏      0.5%");
        assert_eq!(share(50, 50, 50, 4, true), "#### 100.0%");
        assert_eq!(share(1, 1 << 20, 1 << 20, 4, true), "      <0.1%");
        assert_eq!(share(u64::MAX, u64::MAX, u64::MAX, 2, false), "██ 100.0%");
    }
}
