//! Which file is which on overlayfs.
//!
//! Where its layers are several file systems, overlayfs gives each file but
//! directories the inode number of the layer that holds it, and a device that
//! stands for the layer (unless it is mounted with `xino`). All of them are in
//! one file system nonetheless: that of the overlay (Linux:
//! `Documentation/filesystems/overlayfs.rst`, "Inode properties"). Subvolumes of one
//! btrfs are one file system to it, with the same numbers: since Linux 6.10 `statx`
//! says in which of them the file is that the overlay shows.

use super::super::{FileType, Stat};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

/// The layers of one overlay, as they are met.
#[derive(Debug)]
pub(super) struct Layers {
    /// The overlay's own device, which its directories have.
    dev: u64,
    /// The number of its mount, where the kernel says it.
    mount: Option<u64>,
    /// The subvolume whose files keep their numbers, where there are such.
    subvolume: Option<u64>,
    /// The devices of the layers, and subvolumes: a few, asked for at each file.
    devices: RwLock<Vec<Device>>,
    large: Mutex<Large>,
}

/// A device, and the subvolume where there are such.
type Device = (u64, Option<u64>);

/// Inodes whose numbers leave no room for that of their layer.
#[derive(Debug, Default)]
struct Large {
    /// Where in `numbers`, by device and number.
    places: HashMap<(Device, u64), usize>,
    numbers: Vec<u64>,
}

/// Bits of an inode number beside the number of its layer.
const BITS: u32 = 48;
/// Where the numbers that stand for [`Large`] ones begin.
const LARGE: u64 = 1 << 59;

impl Layers {
    /// Those of the overlay that has this device and mount, and a directory of which is in this
    /// subvolume.
    pub(super) fn new(dev: u64, mount: Option<u64>, subvolume: Option<u64>) -> Self {
        Self { dev, mount, subvolume, devices: RwLock::default(), large: Mutex::default() }
    }

    /// Gives a file of the overlay the overlay's own device, and a number that
    /// no other file of it has.
    pub(super) fn unify(&self, stat: &mut Stat, mount: Option<u64>, subvolume: Option<u64>) {
        // What the kernel adds to numbers stands for a layer already.
        let other_subvolume = || {
            subvolume.is_some()
                && self.subvolume.is_some_and(|own| subvolume != Some(own))
                && stat.ino >> BITS == 0
        };
        if stat.file_type() == FileType::Directory || stat.dev == self.dev && !other_subvolume() {
            return;
        }
        let own = match (mount, self.mount) {
            _ if stat.dev == self.dev => true,
            (Some(mount), Some(own)) => mount == own,
            // A device that no disk has: those of layers are such.
            _ => rustix::fs::major(stat.dev) == 0,
        };
        if !own {
            return;
        }
        let device = (stat.dev, subvolume);
        let layer = self.layer(device);
        stat.ino = if stat.ino >> BITS == 0 && layer < LARGE >> BITS {
            layer << BITS | stat.ino
        } else {
            let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            let Large { places, numbers } = &mut *large;
            let place = *places.entry((device, stat.ino)).or_insert_with(|| {
                numbers.push(stat.ino);
                numbers.len() - 1
            });
            LARGE + place as u64
        };
        stat.dev = self.dev;
    }

    /// Whether a file was met that has the device of a layer.
    pub(super) fn any(&self) -> bool {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.iter().any(|&(dev, _)| dev != self.dev)
    }

    /// The number of the layer with that device, from 1.
    fn layer(&self, device: Device) -> u64 {
        let find = |devices: &[Device]| devices.iter().position(|&other| other == device);
        let found = find(&self.devices.read().unwrap_or_else(PoisonError::into_inner));
        let layer = found.unwrap_or_else(|| {
            let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
            find(&devices).unwrap_or_else(|| {
                devices.push(device);
                devices.len() - 1
            })
        });
        layer as u64 + 1
    }

    /// Whether `ino`, as [`Layers::unify`] made it, stands for that number.
    pub(super) fn stands_for(&self, ino: u64, number: u64) -> bool {
        let place = ino.checked_sub(LARGE).and_then(|place| usize::try_from(place).ok());
        let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        match place.and_then(|place| large.numbers.get(place)) {
            Some(&of_layer) => of_layer == number,
            // With `xino` the kernel puts the layer beside it itself.
            None => number == ino || number == ino & ((1 << BITS) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dev: u64, ino: u64) -> Stat {
        let of = |mode| Stat {
            dev,
            ino,
            size: 0,
            disk_size: 0,
            mtime: 1,
            mtime_nsec: 0,
            ctime: 1,
            ctime_nsec: 0,
            nlink: 1,
            mode,
            uid: 0,
            gid: 0,
        };
        of(0o100_444)
    }

    #[test]
    fn equal_numbers_of_two_layers_are_two_files() {
        let layers = Layers::new(40, Some(7), None);
        let unified = |dev, ino, mount| {
            let mut stat = file(dev, ino);
            layers.unify(&mut stat, mount, None);
            stat.identity()
        };
        let all = [(41, 5), (42, 5), (41, u64::MAX), (42, u64::MAX), (40, 5), (41, 6)];
        let mut found = all.map(|(dev, ino)| unified(dev, ino, Some(7)));
        assert!(found.iter().all(|&(dev, _)| dev == 40), "{found:?}");
        // The same each time, and no two alike.
        assert_eq!(all.map(|(dev, ino)| unified(dev, ino, Some(7))), found);
        // Each stands for the number of its layer, however large.
        for ((_, ino), (_, number)) in found.into_iter().zip(all) {
            assert!(layers.stands_for(ino, number) && !layers.stands_for(ino, number - 1));
            assert!(number > 1 << 48 || !layers.stands_for(ino, number + (1 << 52)));
        }
        found.sort_unstable();
        assert!(found.windows(2).all(|two| two[0] != two[1]), "{found:?}");
        // What is mounted inside the overlay is another file system.
        assert_eq!(unified(43, 5, Some(8)), (43, 5));
        assert_eq!(unified(rustix::fs::makedev(8, 1), 5, None).0, rustix::fs::makedev(8, 1));
    }

    #[test]
    fn equal_numbers_of_two_subvolumes_are_two_files() {
        let layers = Layers::new(40, Some(7), Some(256));
        let unified = |dev, ino, subvolume| {
            let mut stat = file(dev, ino);
            layers.unify(&mut stat, Some(7), subvolume);
            stat.identity()
        };
        let own = unified(40, 5, Some(256));
        let others = [unified(40, 5, Some(257)), unified(40, 5, Some(258))];
        assert_eq!(own, (40, 5));
        assert_eq!(others, [(40, 1 << BITS | 5), (40, 2 << BITS | 5)]);
        assert!(others.iter().all(|&(_, ino)| layers.stands_for(ino, 5)));
        // Nothing is known of the subvolume, or the kernel tells layers apart itself.
        assert_eq!(unified(40, 5, None), own);
        assert_eq!(unified(40, 1 << 63 | 5, Some(257)), (40, 1 << 63 | 5));
        assert!(!layers.any());
        // Of another file system they are told apart by both.
        let others = [unified(41, 5, Some(256)), unified(41, 5, Some(257))];
        assert_eq!(others, [(40, 3 << BITS | 5), (40, 4 << BITS | 5)]);
        assert!(layers.any());
    }
}
