//! Progress on a terminal, and Ctrl-C.

use crate::disk::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether a progress line may stand on the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Ends the program at once on Ctrl-C, the progress line wiped.
pub(super) fn install_interrupt_handler() {
    // Without a handler the signal ends the program as well, just less tidily.
    let _ = ctrlc::set_handler(|| {
        if SHOWN.load(Ordering::Relaxed) {
            eprint!("\r\x1b[2K\x1b[?25h");
        }
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
        let entries = progress.entries();
        let rate = entries as f64 / start.elapsed().as_secs_f64();
        bar.set_message(format!(
            "{} of {} paths, {entries} entries, {rate:.0} a second",
            progress.paths(),
            progress.paths_total(),
        ));
        bar.tick();
        std::thread::sleep(tick);
    }
    bar.finish_and_clear();
    SHOWN.store(false, Ordering::Relaxed);
}
