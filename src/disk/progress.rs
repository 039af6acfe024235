//! How far work is, for another thread to show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How far work is, stage by stage. Those who work count; another thread takes
/// a [`StageProgress`] whenever it likes.
///
/// A stage says at its beginning how much there is to do, where that is known.
/// Its counters never exceed that, and never run backwards.
///
/// ```
/// use nix_census::disk::{Progress, Total};
/// let progress = Progress::default();
/// progress.begin("comparing files", Total::Bytes(4096));
/// progress.add_bytes(1024);
/// let now = progress.now();
/// assert_eq!((now.stage, now.total, now.bytes), ("comparing files", Total::Bytes(4096), 1024));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stage: Mutex<Stage>,
    paths: Arc<AtomicU64>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// A stage, and the counters when it began.
#[derive(Debug, Default)]
struct Stage {
    name: &'static str,
    total: Total,
    paths: u64,
    entries: u64,
    bytes: u64,
}

/// How much there is to do in a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    /// That is not known before it is done.
    #[default]
    Unknown,
    /// So many entries of the store directory.
    Paths(u64),
    /// So many bytes of contents.
    Bytes(u64),
}

impl Total {
    fn and(self, more: Self) -> Self {
        match (self, more) {
            (Self::Paths(a), Self::Paths(b)) => Self::Paths(a.saturating_add(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Self::Bytes(a.saturating_add(b)),
            _ => Self::Unknown,
        }
    }
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageProgress {
    /// What is being done, such as `walking the store`; empty before the first stage.
    pub stage: &'static str,
    /// How much there is to do.
    pub total: Total,
    /// How many entries of the store directory are done, all below them included.
    pub paths: u64,
    /// How many files, directories and symlinks were met.
    pub entries: u64,
    /// How many bytes of contents were read.
    pub bytes: u64,
}

impl Progress {
    /// Begins a stage; the one before has ended, and nobody counts for it any
    /// more. A stage of the same name goes on instead, with more to do.
    pub fn begin(&self, name: &'static str, total: Total) {
        let mut stage = self.0.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if stage.name == name {
            stage.total = stage.total.and(total);
            return;
        }
        *stage = Stage {
            name,
            total,
            paths: self.0.paths.load(Ordering::Relaxed),
            entries: self.0.entries.load(Ordering::Relaxed),
            bytes: self.0.bytes.load(Ordering::Relaxed),
        };
    }

    /// How far the present stage is.
    pub fn now(&self) -> StageProgress {
        let stage = self.0.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let since =
            |counter: &AtomicU64, before| counter.load(Ordering::Relaxed).saturating_sub(before);
        let mut now = StageProgress {
            stage: stage.name,
            total: stage.total,
            paths: since(&self.0.paths, stage.paths),
            entries: since(&self.0.entries, stage.entries),
            bytes: since(&self.0.bytes, stage.bytes),
        };
        // A file may have grown since its size was taken.
        match now.total {
            Total::Paths(total) => now.paths = now.paths.min(total),
            Total::Bytes(total) => now.bytes = now.bytes.min(total),
            Total::Unknown => {}
        }
        now
    }

    /// Counts bytes of contents that were read.
    pub fn add_bytes(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_entries(&self, entries: usize) {
        self.0.entries.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_path(&self) {
        self.0.paths.fetch_add(1, Ordering::Relaxed);
    }

    /// The counter that the last job of a path counts up.
    pub(super) fn path_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_counts_from_nothing_to_its_total() {
        let progress = Progress::default();
        assert_eq!(progress.now(), StageProgress::default());
        progress.begin("walk", Total::Paths(2));
        let walk =
            StageProgress { stage: "walk", total: Total::Paths(2), ..StageProgress::default() };
        assert_eq!(progress.now(), walk);
        progress.add_entries(7);
        progress.add_path();
        assert_eq!(progress.now(), StageProgress { paths: 1, entries: 7, ..walk });
        // What was counted before belongs to another stage.
        progress.begin("read", Total::Bytes(100));
        let read =
            StageProgress { stage: "read", total: Total::Bytes(100), ..StageProgress::default() };
        assert_eq!(progress.now(), read);
        progress.add_bytes(60);
        assert_eq!(progress.now(), StageProgress { bytes: 60, ..read });
    }

    #[test]
    fn counters_never_exceed_the_total() {
        let progress = Progress::default();
        progress.begin("walk", Total::Paths(1));
        (0..3).for_each(|_| progress.add_path());
        assert_eq!(progress.now().paths, 1);
        progress.begin("read", Total::Bytes(10));
        progress.add_bytes(u64::MAX);
        assert_eq!(progress.now().bytes, 10);
    }

    #[test]
    fn a_stage_begun_again_goes_on() {
        let progress = Progress::default();
        progress.begin("read", Total::Bytes(10));
        progress.add_bytes(10);
        progress.begin("read", Total::Bytes(5));
        let now = progress.now();
        assert_eq!((now.bytes, now.total), (10, Total::Bytes(15)));
        progress.begin("read", Total::Unknown);
        progress.add_bytes(1);
        let now = progress.now();
        assert_eq!((now.bytes, now.total), (11, Total::Unknown));
    }

    /// Whoever watches while others count and stages change sees each counter
    /// only grow within a stage.
    #[test]
    fn counters_never_run_backwards() {
        let progress = Progress::default();
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut last = StageProgress::default();
                while last.stage != "end" {
                    let now = progress.now();
                    if now.stage == last.stage {
                        assert!(now.paths >= last.paths && now.bytes >= last.bytes);
                    }
                    assert!(now.paths <= 1000 && now.bytes <= 1000, "{now:?}");
                    last = now;
                }
            });
            for name in ["a", "b", "c", "d"] {
                progress.begin(name, Total::Unknown);
                std::thread::scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| {
                            for _ in 0..500 {
                                progress.add_path();
                                progress.add_bytes(1);
                            }
                        });
                    }
                });
                let now = progress.now();
                assert_eq!((now.stage, now.paths, now.bytes), (name, 1000, 1000));
            }
            progress.begin("end", Total::Unknown);
            watch.join().expect("the watcher saw no fault");
        });
    }
}
