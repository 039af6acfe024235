//! What time it is, on which machine: how far times that were kept can be compared
//! with those of today.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment by the clocks of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Seconds since 1970.
    pub(crate) seconds: i64,
    /// The rest of it.
    pub(crate) nanoseconds: u32,
    /// Since when the machine runs, if it says so.
    pub(crate) boot: Option<Boot>,
    /// What stands for the machine, and for nothing else: a hash of its number.
    pub(crate) machine: Option<u64>,
}

/// One run of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boot {
    /// What stands for it: a hash of its number.
    pub(crate) id: u64,
    /// How long it lasts, in milliseconds, by a clock that nobody sets.
    pub(crate) elapsed: u64,
}

/// Why times of two moments cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incomparable {
    /// They are of two machines.
    Machine,
    /// The clock was set back in between.
    Clock,
}

/// How far clocks may drift apart before one of them was set: in milliseconds, and of
/// the time that went by one part in so many.
const DRIFT: u64 = 1000;
const DRIFT_PART: u64 = 1000;

impl Moment {
    /// The present one.
    pub(crate) fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: since_1970.subsec_nanos(),
            boot: system::boot(),
            machine: system::machine(),
        }
    }

    /// The moment so much earlier by the clock, as seconds and nanoseconds.
    pub(crate) fn before(&self, time: Duration) -> (i64, u32) {
        let seconds = self.seconds.saturating_sub_unsigned(time.as_secs());
        match self.nanoseconds.checked_sub(time.subsec_nanos()) {
            Some(nanoseconds) => (seconds, nanoseconds),
            None => (
                seconds.saturating_sub(1),
                (self.nanoseconds + 1_000_000_000).saturating_sub(time.subsec_nanos()),
            ),
        }
    }

    /// Why times of this moment cannot be compared with those of a later one.
    pub(crate) fn incomparable(&self, later: &Self) -> Option<Incomparable> {
        if self.machine != later.machine {
            return Some(Incomparable::Machine);
        }
        if (later.seconds, later.nanoseconds) < (self.seconds, self.nanoseconds) {
            return Some(Incomparable::Clock);
        }
        let (Some(one), Some(other)) = (self.boot, later.boot) else { return None };
        if one.id != other.id {
            return None;
        }
        // Within one run no more time can have gone by on one clock than on the other.
        let milliseconds = |moment: &Self| {
            let seconds = u64::try_from(moment.seconds).unwrap_or(0);
            seconds.saturating_mul(1000).saturating_add((moment.nanoseconds / 1_000_000).into())
        };
        let by_clock = milliseconds(later).saturating_sub(milliseconds(self));
        let elapsed = other.elapsed.saturating_sub(one.elapsed);
        let set_back = by_clock + DRIFT + elapsed / DRIFT_PART < elapsed;
        set_back.then_some(Incomparable::Clock)
    }
}

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod system {
    use super::Boot;

    /// A number that stands for a text, which it does not give away.
    fn hash(text: &[u8]) -> u64 {
        let key = blake3::derive_key("nix-census 2026-11 machines in snapshots", text);
        key.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn read(file: &str) -> Option<u64> {
        let text = std::fs::read(file).ok()?;
        let text = text.trim_ascii();
        (!text.is_empty()).then(|| hash(text))
    }

    pub(super) fn boot() -> Option<Boot> {
        let id = read("/proc/sys/kernel/random/boot_id")?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).ok()?;
        let rest = u64::try_from(now.tv_nsec).ok()? / 1_000_000;
        Some(Boot { id, elapsed: seconds.checked_mul(1000)?.checked_add(rest)? })
    }

    pub(super) fn machine() -> Option<u64> {
        read("/etc/machine-id")
    }
}

#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
mod system {
    pub(super) fn boot() -> Option<super::Boot> {
        None
    }

    pub(super) fn machine() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, boot: u64, elapsed: u64) -> Moment {
        let boot = Some(Boot { id: boot, elapsed });
        Moment { seconds, nanoseconds: 5, boot, machine: Some(1) }
    }

    #[test]
    fn times_are_compared_on_one_machine_whose_clock_went_on() {
        let before = at(1000, 7, 50_000);
        let later = |moment| before.incomparable(&moment);
        assert_eq!(later(at(1000, 7, 50_000)), None);
        assert_eq!(later(at(1100, 7, 150_000)), None);
        // Set right by a second, or for hours in which the machine slept.
        assert_eq!(later(at(1100, 7, 150_900)), None);
        assert_eq!(later(at(9000, 7, 150_000)), None);
        assert_eq!(later(at(1100, 7, 250_000)), Some(Incomparable::Clock));
        assert_eq!(later(at(999, 7, 150_000)), Some(Incomparable::Clock));
        // Another run has a clock of its own.
        assert_eq!(later(at(1100, 8, 900_000)), None);
        assert_eq!(later(at(999, 8, 10)), Some(Incomparable::Clock));
        let elsewhere = Moment { machine: Some(2), ..at(1100, 7, 150_000) };
        assert_eq!(later(elsewhere), Some(Incomparable::Machine));
    }

    #[test]
    fn earlier_by_less_and_more_than_a_second() {
        let moment = Moment { seconds: 10, nanoseconds: 5, ..Moment::default() };
        assert_eq!(moment.before(Duration::from_nanos(5)), (10, 0));
        assert_eq!(moment.before(Duration::from_nanos(6)), (9, 999_999_999));
        assert_eq!(moment.before(Duration::from_secs(2)), (8, 5));
    }
}
