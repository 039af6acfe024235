//! Progress on a terminal, and Ctrl-C.

use super::destination;
use crate::disk::Progress;
use crate::output::{Units, format_size};
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

/// How far the walk is, or after it the comparing of contents.
fn message(progress: &Progress, elapsed: Duration) -> String {
    let to_compare = progress.bytes_total();
    if to_compare > 0 {
        let left = to_compare.saturating_sub(progress.bytes());
        let size = |bytes| format_size(bytes, Units::Binary);
        return format!("{} of {} to compare", size(left), size(to_compare));
    }
    let entries = progress.entries();
    let rate = entries as f64 / elapsed.as_secs_f64();
    let (paths, total) = (progress.paths(), progress.paths_total());
    format!("{paths} of {total} paths, {entries} entries, {rate:.0} a second")
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
    let style = ProgressStyle::with_template("{spinner} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    SHOWN.store(true, Ordering::Relaxed);
    while !done.load(Ordering::Relaxed) {
        bar.set_message(message(progress, start.elapsed()));
        bar.tick();
        std::thread::sleep(tick);
    }
    bar.finish_and_clear();
    SHOWN.store(false, Ordering::Relaxed);
}
