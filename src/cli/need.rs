//! How much is to come free, as flags say it.

use super::args::{parse_percent, parse_size};
use super::exit::Failure;
use super::subject::{Subject, whole};
use crate::analysis::reclaim::{Measure, Need, SmallestOptions, SmallestSet, Tier};
use crate::census::Census;
use crate::disk::Space;
use crate::roots::{FoundRoots, GcSettings};
use clap::Args;

/// How much is to come free.
#[derive(Debug, Args)]
pub(super) struct NeedArgs {
    /// Show the smallest set of roots to remove so that SIZE (20G, …) or that part of the
    /// file system (5%) comes free, garbage counted first
    #[arg(long, value_name = "SIZE|PERCENT", value_parser = parse_amount)]
    need: Option<Amount>,
    /// Show the same for N inodes
    #[arg(long, value_name = "N", conflicts_with = "need")]
    need_inodes: Option<u64>,
    /// Let the booted and the running system be removed too
    #[arg(long)]
    pub(super) include_system: bool,
}

/// So many bytes, or a part of the file system.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Amount {
    Bytes(u64),
    Percent(f64),
}

fn parse_amount(text: &str) -> Result<Amount, String> {
    match parse_percent(text) {
        None => parse_size(text).map(Amount::Bytes),
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Amount::Percent(percent)),
        Some(_) => Err("not a part of the file system\nhint: write 5% or 12.5%".to_owned()),
    }
}

impl NeedArgs {
    /// Whether something is asked for.
    pub(super) fn is_some(&self) -> bool {
        self.need.is_some() || self.need_inodes.is_some()
    }

    /// Refuses to say what comes free on a disk that is not walked.
    pub(super) fn check(&self, subject: &Subject) -> Result<(), Failure> {
        match self.is_some() && !subject.walks_disk() {
            true => Err(subject.without_disk("--need", "it needs the disk")),
            false => Ok(()),
        }
    }

    /// The smallest set of roots whose removal is enough beside the garbage, if that
    /// was asked.
    pub(super) fn smallest(
        &self,
        subject: &Subject,
        census: &Census,
        found: &FoundRoots,
        settings: &GcSettings,
        garbage: Space,
    ) -> Result<Option<SmallestSet>, Failure> {
        let Some(need) = self.need(census)? else { return Ok(None) };
        let options = SmallestOptions {
            settings: settings.clone(),
            need,
            system: self.include_system,
            tiers: Tier::of_roots(found, &subject.location),
        };
        let set = SmallestSet::after_garbage(whole(census), found, garbage, &options);
        set.map_err(|e| Failure::because(&e))
    }

    /// How much is to come free of the file system that the store is on.
    pub(super) fn need(&self, census: &Census) -> Result<Option<Need>, Failure> {
        if let Some(amount) = self.need_inodes {
            return Ok(Some(Need { measure: Measure::Inodes, amount }));
        }
        let Some(amount) = self.need else { return Ok(None) };
        let amount = match amount {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => {
                let capacity = census.disk.as_ref().and_then(|disk| disk.capacity);
                let capacity = capacity.ok_or_else(|| {
                    Failure::failed("the size of the store’s file system is not known")
                })?;
                (capacity.size as f64 * percent / 100.0).ceil() as u64
            }
        };
        Ok(Some(Need { measure: Measure::Disk, amount }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_parts() {
        assert_eq!(parse_amount("20G"), Ok(Amount::Bytes(20 << 30)));
        assert_eq!(parse_amount("12.5%"), Ok(Amount::Percent(12.5)));
        assert_eq!(parse_amount("100 %"), Ok(Amount::Percent(100.0)));
        for wrong in ["%", "-1%", "101%", "nan%", "x", ""] {
            assert!(parse_amount(wrong).is_err(), "{wrong}");
        }
    }
}
