//! Progress on a terminal, and Ctrl-C.

use super::destination;
use crate::disk::{Progress, StageProgress, Total};
use crate::text::{Units, format_size};
use crate::threads;
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
        // Where no thread can be started, nothing is shown.
        let _ = threads::start(scope, || draw(&progress, &done));
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

/// How far the work is, in one line; the stage has lasted for `elapsed`.
fn line(now: &StageProgress, elapsed: Duration) -> String {
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
    // A rate of the first moment says nothing.
    if elapsed >= Duration::from_secs(1) {
        let rate = |n: u64| (n as f64 / elapsed.as_secs_f64()) as u64;
        match (rate(now.bytes), rate(now.entries)) {
            (0, 0) => {}
            (0, entries) => parts.push(format!("{entries} entries/s")),
            (bytes, _) => parts.push(format!("{}/s", size(bytes))),
        }
        parts.extend(left(now, elapsed).map(|left| format!("{left} left")));
    }
    let colon = if parts.is_empty() { "" } else { ": " };
    format!("{}{colon}{}", now.stage, parts.join(", "))
}

/// How long the stage will take if it goes on as it went; `None` where the total is
/// not known, or too little is done to tell.
fn left(now: &StageProgress, elapsed: Duration) -> Option<String> {
    let (done, total) = match now.total {
        Total::Paths(total) => (now.paths, total),
        Total::Bytes(total) => (now.bytes, total),
        Total::Unknown => return None,
    };
    if done == 0 || done.saturating_mul(20) < total {
        return None;
    }
    let left = elapsed.as_secs_f64() * total.saturating_sub(done) as f64 / done as f64;
    let seconds = left.ceil() as u64;
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    })
}

fn draw(progress: &Progress, done: &AtomicBool) {
    let start = Instant::now();
    let tick = Duration::from_millis(20);
    // What is over at once needs no progress.
    while start.elapsed() < Duration::from_millis(500) {
        if done.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(tick);
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    SHOWN.store(true, Ordering::Relaxed);
    let mut stage = ("", start);
    while !done.load(Ordering::Relaxed) {
        let now = progress.now();
        if now.stage != stage.0 {
            // The first one began with the work.
            let began = if stage.0.is_empty() { start } else { Instant::now() };
            stage = (now.stage, began);
        }
        bar.set_message(line(&now, stage.1.elapsed()));
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
            line(&StageProgress { stage, total, paths, entries, bytes }, Duration::from_millis(900))
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

    #[test]
    fn rate_and_time_left_are_those_of_the_stage() {
        let after = |seconds, total, paths, entries, bytes| {
            let now = StageProgress { stage: "x", total, paths, entries, bytes };
            line(&now, Duration::from_secs(seconds))
        };
        assert_eq!(
            after(2, Total::Paths(400), 100, 5000, 0),
            "x: 100 of 400 paths, 5000 entries, 2500 entries/s, 6 s left"
        );
        assert_eq!(
            after(4, Total::Bytes(300 << 20), 0, 0, 16 << 20),
            "x: 16.0 MiB of 300.0 MiB, 4.0 MiB/s, 1 min 11 s left"
        );
        // Too little is done to tell.
        assert_eq!(
            after(4, Total::Bytes(800 << 20), 0, 0, 16 << 20),
            "x: 16.0 MiB of 800.0 MiB, 4.0 MiB/s"
        );
        assert_eq!(after(3, Total::Unknown, 0, 300, 0), "x: 300 entries, 100 entries/s");
        assert_eq!(after(9, Total::Paths(7), 7, 0, 0), "x: 7 of 7 paths, 0 s left");
        assert_eq!(after(9000, Total::Paths(100), 50, 0, 0), "x: 50 of 100 paths, 2 h 30 min left");
    }
}
