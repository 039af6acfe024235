//! Threads, as many as the system gives: where none can be started
//! (`RLIMIT_NPROC`, a container's `pids.max`) the work is done on the caller's
//! own thread, with the same answer.

use crate::arrange::Arrange as _;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::error::Error;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// How many pieces of work a thread gets where there is much: pieces differ in how long they take.
const PIECES: usize = 16;

/// A pool of threads, or of the thread that made it alone.
#[derive(Debug)]
pub(crate) struct Pool(Kind);

#[derive(Debug)]
enum Kind {
    Started(ThreadPool),
    /// To be used on the thread that made it, as it is part of it for good.
    Own(&'static ThreadPool),
}

impl Pool {
    /// A pool of at most `threads` threads, whose names begin with `name`: half
    /// as many, and so on, where so many cannot be started.
    ///
    /// # Errors
    /// If not even this thread can be used, as it is one of another pool.
    pub(crate) fn new(threads: usize, name: &'static str) -> Result<Self, ThreadPoolBuildError> {
        let mut threads = at_most(threads);
        while threads > 0 {
            let pool = ThreadPoolBuilder::new().num_threads(threads);
            if let Ok(pool) = pool.thread_name(move |i| format!("{name}-{i}")).build() {
                return Ok(Self(Kind::Started(pool)));
            }
            threads /= 2;
        }
        own().map(|pool| Self(Kind::Own(pool)))
    }

    /// Does work on these threads.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let mut made = None;
        self.do_once(&mut once(work, &mut made));
        made.expect(DONE)
    }

    fn do_once(&self, work: &mut (dyn FnMut() + Send)) {
        ThreadPool::install(self, work);
    }
}

impl Deref for Pool {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        match &self.0 {
            Kind::Started(pool) => pool,
            Kind::Own(pool) => pool,
        }
    }
}

/// The pool of this thread alone.
fn own() -> Result<&'static ThreadPool, ThreadPoolBuildError> {
    thread_local! {
        static OWN: std::cell::OnceCell<&'static ThreadPool> = const { std::cell::OnceCell::new() };
    }
    OWN.with(|own| match own.get() {
        Some(pool) => Ok(*pool),
        None => {
            let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()?;
            // A thread never leaves such a pool, so the pool has to stay.
            Ok(*own.get_or_init(|| Box::leak(Box::new(pool))))
        }
    })
}

/// To be called before anything parallel that names no pool: rayon panics where
/// the threads of its global pool cannot be started.
pub(crate) fn ready() {
    static GLOBAL: OnceLock<bool> = OnceLock::new();
    if rayon::current_thread_index().is_some() {
        return;
    }
    // That there is one already is an error without a cause.
    let start = || ThreadPoolBuilder::new().num_threads(at_most(cores())).build_global();
    if at_most(1) == 0 {
        let _ = own();
        return;
    }
    let started = GLOBAL.get_or_init(|| start().map_or_else(|e| e.source().is_none(), |()| true));
    if !started {
        // From now on, what this thread does in parallel it does itself. It was
        // in no pool, so that cannot fail.
        let _ = own();
    }
}

/// Does both, on two threads where there are two: in the pool of this thread, or else that of all.
pub(crate) fn join<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    ready();
    let (mut a_made, mut b_made) = (None, None);
    both(&mut once(a, &mut a_made), &mut once(b, &mut b_made));
    (a_made.expect(DONE), b_made.expect(DONE))
}

/// What rayon does with a piece of work is compiled anew for each kind of it. So it is given what
/// looks the same for all kinds.
fn both(a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
    rayon::join(a, b);
}

/// Work to be called once, which puts away what it makes.
fn once<T>(work: impl FnOnce() -> T, made: &mut Option<T>) -> impl FnMut() {
    let mut work = Some(work);
    move || {
        if let Some(work) = work.take() {
            *made = Some(work());
        }
    }
}

/// Why there is something made: work that panics comes back as a panic.
const DONE: &str = "work that was called is done";

/// Has all numbers below `count` worked on, some of them at a time, at least `least`: in the
/// pool of this thread, or else that of all. Compiled once for all kinds of work, for a call a
/// piece.
pub(crate) fn pieces(count: usize, least: usize, work: &(dyn Fn(Range<usize>) + Sync)) {
    ready();
    let piece = (count / (PIECES * rayon::current_num_threads())).max(least).max(1);
    let number = |at: usize| work(at * piece..count.min((at + 1) * piece));
    (0..count.div_ceil(piece)).into_par_iter().with_max_len(1).for_each(number);
}

/// What `of` makes of each number below `count`, as [`pieces`] shares them out.
pub(crate) fn map<T: Send>(count: usize, least: usize, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    map_with(count, least, || (), |at, ()| of(at))
}

/// The same with something that is made once for each piece.
pub(crate) fn map_with<B, T: Send>(
    count: usize,
    least: usize,
    begin: impl Fn() -> B + Sync,
    of: impl Fn(usize, &mut B) -> T + Sync,
) -> Vec<T> {
    let made: Mutex<Vec<(usize, Vec<T>)>> = Mutex::default();
    let lock = || made.lock().unwrap_or_else(PoisonError::into_inner);
    pieces(count, least, &|numbers| {
        let (start, mut with) = (numbers.start, begin());
        let piece = numbers.map(|at| of(at, &mut with)).collect();
        lock().push((start, piece));
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.arrange_by_key(|&(start, _)| start);
    let mut all = Vec::with_capacity(count);
    made.into_iter().for_each(|(_, piece)| all.extend(piece));
    all
}

/// Whether that is so of all numbers below `count`, as [`pieces`] shares them out.
pub(crate) fn all(count: usize, least: usize, holds: impl Fn(usize) -> bool + Sync) -> bool {
    all_with(count, least, || (), |at, ()| holds(at))
}

/// The same with something that is made once for each piece.
pub(crate) fn all_with<B>(
    count: usize,
    least: usize,
    begin: impl Fn() -> B + Sync,
    holds: impl Fn(usize, &mut B) -> bool + Sync,
) -> bool {
    let so_far = AtomicBool::new(true);
    pieces(count, least, &|mut numbers| {
        let mut with = begin();
        if !numbers.all(|at| so_far.load(Ordering::Relaxed) && holds(at, &mut with)) {
            so_far.store(false, Ordering::Relaxed);
        }
    });
    so_far.into_inner()
}

/// What a cell holds, made by `of` the first time. In place of `get_or_init`, if threads
/// share the work of `of`: while one waits for the others' part it may be given work that
/// asks for the same cell, and would wait for itself. So two may make it; one is kept.
pub(crate) fn filled<T>(cell: &OnceLock<T>, of: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(made) => made,
        None => {
            let made = of();
            cell.get_or_init(|| made)
        }
    }
}

/// How many threads can run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many threads are to wait for a disk at once: more than run, as a cold
/// disk answers several of them together.
pub(crate) fn for_disk() -> usize {
    (4 * cores()).max(32)
}

/// Threads that are held back while others work: one of them joins those each time one finds that
/// it would wait.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// How many were not called yet.
    held: AtomicUsize,
    /// How many were called and have not joined yet; `None` once there is nothing more to do.
    called: Mutex<Option<usize>>,
    changed: Condvar,
}

/// That there is nothing more to do is known once this goes, in whichever way.
pub(crate) struct UntilOver<'a>(&'a Reserve);

impl Reserve {
    /// So many threads, each of which will [wait](Self::wait).
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            held: AtomicUsize::new(threads),
            called: Mutex::new(Some(0)),
            changed: Condvar::new(),
        }
    }

    /// Has one of the threads join, if any is left.
    pub(crate) fn call(&self) {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.held.load(Ordering::Relaxed);
        if let (Some(called), Some(left)) = (called.as_mut(), held.checked_sub(1)) {
            self.held.store(left, Ordering::Relaxed);
            *called += 1;
            self.changed.notify_one();
        }
    }

    /// Whether no thread is left to be called.
    pub(crate) fn is_used_up(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }

    /// Held back until called; whether to join. Not if all is done before.
    pub(crate) fn wait(&self) -> bool {
        let called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        let called = self.changed.wait_while(called, |called| *called == Some(0));
        let mut called = called.unwrap_or_else(PoisonError::into_inner);
        if let Some(called) = called.as_mut() {
            *called -= 1;
        }
        called.is_some()
    }

    /// To be kept by each thread while it works.
    pub(crate) fn until_over(&self) -> UntilOver<'_> {
        UntilOver(self)
    }
}

impl Drop for UntilOver<'_> {
    fn drop(&mut self) {
        *self.0.called.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.changed.notify_all();
    }
}

/// Bytes of addresses that a thread takes: its stack, and what the C library
/// sets aside for what it allocates.
const ADDRESSES: u64 = 256 << 20;

/// How many of the `wanted` threads there is room for where the process may have
/// only so many addresses (`RLIMIT_AS`): without room for its stack a thread does
/// not start, without room for the rest the process ends.
pub(crate) fn at_most(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    limit.map_or(wanted.max(1), |bytes| {
        usize::try_from(bytes / ADDRESSES).unwrap_or(wanted).min(wanted.max(1))
    })
}

/// Starts a thread; `None` if it cannot be started.
pub(crate) fn start<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    if at_most(1) == 0 {
        return None;
    }
    // One type for all kinds of work that make the same: starting is compiled for each.
    let work: Box<dyn FnOnce() -> T + Send + 'scope> = Box::new(work);
    Builder::new().spawn_scoped(scope, work).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_while_it_is_made_is_not_waited_for() {
        let cell = OnceLock::new();
        assert_eq!(*filled(&cell, || *filled(&cell, || 1) + 1), 1);
        assert_eq!(*filled(&cell, || 3), 1);
    }

    #[test]
    fn of_a_reserve_as_many_join_as_are_called_and_none_where_all_is_done() {
        for calls in 0..5 {
            let reserve = Reserve::new(3);
            std::thread::scope(|scope| {
                let held: Vec<_> = (0..3).map(|_| scope.spawn(|| reserve.wait())).collect();
                for call in 0..calls {
                    assert_eq!(reserve.is_used_up(), call >= 3);
                    reserve.call();
                }
                let joined = || held.iter().filter(|held| held.is_finished()).count();
                while joined() < calls.min(3) {
                    std::thread::yield_now();
                }
                let _ = std::panic::catch_unwind(|| {
                    let _until = reserve.until_over();
                    std::panic::resume_unwind(Box::new("a thread that works"));
                });
                let joined = held.into_iter().filter_map(|held| held.join().ok());
                assert_eq!(joined.filter(|&joins| joins).count(), calls.min(3));
                reserve.call();
                assert!(!reserve.wait(), "there is nothing more to do");
            });
        }
    }

    #[test]
    fn pieces_are_put_together_in_their_order() {
        for count in [0, 1, 15, 1000] {
            for least in [0, 1, 7, 5000] {
                let expected: Vec<usize> = (0..count).map(|at| at * 3).collect();
                assert_eq!(map(count, least, |at| at * 3), expected);
                assert!(all(count, least, |at| at < count));
                assert_eq!(all(count, least, |at| at != 14), count <= 14);
            }
        }
    }

    #[test]
    fn the_own_thread_does_all_of_it() {
        std::thread::scope(|scope| {
            let run = || {
                let id = std::thread::current().id();
                let pool = Pool(Kind::Own(own().unwrap()));
                let again = Pool(Kind::Own(own().unwrap()));
                let ids: Vec<_> = pool.install(|| {
                    (0..8).into_par_iter().map(|_| std::thread::current().id()).collect()
                });
                assert!(ids.iter().all(|&other| other == id));
                let mut done = 0;
                again.scope(|scope| scope.spawn(|_| done += 1));
                assert_eq!(done, 1);
                // Without a pool's name too.
                ready();
                assert!((0..8).into_par_iter().all(|_| std::thread::current().id() == id));
            };
            start(scope, run).unwrap().join().unwrap();
        });
    }
}
