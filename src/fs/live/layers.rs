//! Which file is which on overlayfs.
//!
//! Where its layers are several file systems, overlayfs gives each file but
//! directories the inode number of the layer that holds it, and a device that
//! stands for the layer (unless it is mounted with `xino`). All of them are in
//! one file system nonetheless: that of the overlay (Linux:
//! `Documentation/filesystems/overlayfs.rst`, "Inode properties").

use super::super::{FileType, LAYER_INODE, Stat};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The layers of one overlay, as they are met.
#[derive(Debug)]
pub(super) struct Layers {
    /// The overlay's own device, which its directories have.
    dev: u64,
    /// The number of its mount, where the kernel says it.
    mount: Option<u64>,
    met: Mutex<Met>,
}

#[derive(Debug, Default)]
struct Met {
    devices: Vec<u64>,
    /// Inodes whose numbers leave no room for that of their layer.
    large: HashMap<(u64, u64), u64>,
}

/// Bits of an inode number beside the number of its layer.
const BITS: u32 = LAYER_INODE.count_ones();
/// Where the numbers of [`Met::large`] begin.
const LARGE: u64 = 1 << 59;

impl Layers {
    /// Those of the overlay that has this device and mount.
    pub(super) fn new(dev: u64, mount: Option<u64>) -> Self {
        Self { dev, mount, met: Mutex::default() }
    }

    /// Gives a file of the overlay the overlay's own device, and a number that
    /// no other file of it has.
    pub(super) fn unify(&self, stat: &mut Stat, mount: Option<u64>) {
        if stat.dev == self.dev || stat.file_type() == FileType::Directory {
            return;
        }
        let own = match (mount, self.mount) {
            (Some(mount), Some(own)) => mount == own,
            // A device that no disk has: those of layers are such.
            _ => rustix::fs::major(stat.dev) == 0,
        };
        if !own {
            return;
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let layer = met.devices.iter().position(|&dev| dev == stat.dev).unwrap_or_else(|| {
            met.devices.push(stat.dev);
            met.devices.len() - 1
        });
        let layer = layer as u64 + 1;
        stat.ino = if stat.ino >> BITS == 0 && layer < LARGE >> BITS {
            layer << BITS | stat.ino
        } else {
            let next = LARGE + met.large.len() as u64;
            *met.large.entry((stat.dev, stat.ino)).or_insert(next)
        };
        stat.dev = self.dev;
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
            nlink: 1,
            mode,
            uid: 0,
            gid: 0,
        };
        of(0o100_444)
    }

    #[test]
    fn equal_numbers_of_two_layers_are_two_files() {
        let layers = Layers::new(40, Some(7));
        let unified = |dev, ino, mount| {
            let mut stat = file(dev, ino);
            layers.unify(&mut stat, mount);
            stat.identity()
        };
        let all = [(41, 5), (42, 5), (41, u64::MAX), (42, u64::MAX), (40, 5), (41, 6)];
        let mut found = all.map(|(dev, ino)| unified(dev, ino, Some(7)));
        assert!(found.iter().all(|&(dev, _)| dev == 40), "{found:?}");
        // The same each time, and no two alike.
        assert_eq!(all.map(|(dev, ino)| unified(dev, ino, Some(7))), found);
        found.sort_unstable();
        assert!(found.windows(2).all(|two| two[0] != two[1]), "{found:?}");
        // What is mounted inside the overlay is another file system.
        assert_eq!(unified(43, 5, Some(8)), (43, 5));
        assert_eq!(unified(rustix::fs::makedev(8, 1), 5, None).0, rustix::fs::makedev(8, 1));
    }
}
