//! Progress on a terminal, and Ctrl-C.

use super::destination;
use crate::disk::{Progress, Snapshot, Total};
use crate::text::{Units, format_size};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether a progress line may stand on the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Ends the program at once on Ctrl-C, the progress line wiped.
pub(super) fn install_interrupt_handler() {
    // Without a handler the signal ends the program as well, just less tidily.
    let _ = ctrlc::set_handler(|| {
        if SHOWN.load(Ordering::Relaxed) {
            let _ = io::stderr().write_all(b"\r\x1b[2K\x1b[?25h");
        }
        destination::remove_unfinished();
        std::process::exit(130);
    });
}

/// A file that grows beyond what `ulimit -f` allows becomes an error of the write,
/// as on a full disk; the signal that comes with it would end the program.
#[allow(unsafe_code, reason = "the standard library has no function for it")]
pub(super) fn ignore_file_size_signal() {
    // SAFETY: no handler is installed, and nothing else asks for this signal.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Runs `work`, showing how far it is if `show`.
pub(super) fn with_progress<T: Send>(show: bool, work: impl FnOnce(&Progress) -> T + Send) -> T {
    let progress = Progress::default();
    if !show {
        return work(&progress);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            draw(&progress, &done);
        });
        // The thread above must end even if `work` panics.
        struct Finish<'a>(&'a AtomicBool);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _finish = Finish(&done);
        work(&progress)
    })
}

/// How far the work is, in one line.
fn line(now: &Snapshot) -> String {
    let size = |bytes| format_size(bytes, Units::Binary);
    let mut parts = Vec::new();
    if let Total::Paths(total) = now.total {
        parts.push(format!("{} of {total} paths", now.paths));
    }
    if now.entries > 0 {
        parts.push(format!("{} entries", now.entries));
    }
    match now.total {
        Total::Bytes(total) => parts.push(format!("{} of {}", size(now.bytes), size(total))),
        _ if now.bytes > 0 => parts.push(format!("{} read", size(now.bytes))),
        _ => {}
    }
    let colon = if parts.is_empty() { "" } else { ": " };
    format!("{}{colon}{}", now.stage, parts.join(", "))
}

fn draw(progress: &Progress, done: &AtomicBool) {
    let start = Instant::now();
    let tick = Duration::from_millis(20);
    // What is over at once needs no progress.
    while start.elapsed() < Duration::from_millis(300) {
        if done.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(tick);
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    SHOWN.store(true, Ordering::Relaxed);
    while !done.load(Ordering::Relaxed) {
        bar.set_message(line(&progress.snapshot()));
        bar.tick();
        std::thread::sleep(tick);
    }
    bar.finish_and_clear();
    SHOWN.store(false, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_no_total_that_is_not_known() {
        let at = |stage, total, paths, entries, bytes| {
            line(&Snapshot { stage, total, paths, entries, bytes })
        };
        assert_eq!(
            at("walking the store", Total::Paths(3274), 2036, 4000, 0),
            "walking the store: 2036 of 3274 paths, 4000 entries"
        );
        assert_eq!(at("reading .links", Total::Unknown, 1, 0, 0), "reading .links");
        assert_eq!(at("reading .links", Total::Unknown, 0, 9, 0), "reading .links: 9 entries");
        assert_eq!(
            at("comparing files", Total::Bytes(3 << 20), 0, 0, 1 << 20),
            "comparing files: 1.0 MiB of 3.0 MiB"
        );
        assert_eq!(
            at("hashing contents", Total::Paths(2), 1, 0, 1 << 20),
            "hashing contents: 1 of 2 paths, 1.0 MiB read"
        );
    }
}
