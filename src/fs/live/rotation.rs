//! Whether files lie on disks that rotate, where each step between distant places takes
//! milliseconds.
//!
//! The kernel says so of each disk (`queue/rotational`; Linux:
//! `Documentation/ABI/stable/sysfs-block`), but of virtual ones too, whatever lies beneath:
//! these do not count. What is not known does not rotate.

use std::path::{Path, PathBuf};

/// Where the kernel describes devices.
pub(super) const SYS: &str = "/sys";

/// Drivers of virtual machines' disks, or of the buses that these are on.
const VIRTUAL_DRIVERS: [&str; 10] = [
    "virtio_blk",
    "virtio_scsi",
    "virtio-pci",
    "virtio-mmio",
    "vbd",
    "xen-blkfront",
    "vmw_pvscsi",
    "storvsc",
    "hv_storvsc",
    "hyperv_storvsc",
];
/// How the vendor and model of those begin that look like real ones.
const VIRTUAL_MODELS: [&str; 6] = ["QEMU", "VBOX", "VMware", "Virtual", "Msft", "Xen"];

/// How many devices may lie upon each other: partitions of loops of file systems of …
const DEEPEST: usize = 8;

/// What `sys` says, the kernel's or a directory that stands for it.
pub(super) struct Devices<'a> {
    pub(super) sys: &'a Path,
    /// The number of the device that a file is on.
    pub(super) device_of: &'a dyn Fn(&Path) -> Option<(u32, u32)>,
}

impl Devices<'_> {
    /// Whether a device rotates, by its number: a disk, a partition, or what is made of them.
    pub(super) fn rotates(&self, device: (u32, u32)) -> bool {
        self.device(device, DEEPEST)
    }

    /// Whether all devices of a btrfs do, which is given by its UUID.
    pub(super) fn btrfs_rotates(&self, fsid: [u8; 16]) -> bool {
        let mut uuid = String::new();
        for (at, byte) in fsid.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            uuid += &format!("{dash}{byte:02x}");
        }
        self.all(&self.sys.join("fs/btrfs").join(uuid).join("devices"), DEEPEST) == Some(true)
    }

    fn device(&self, (major, minor): (u32, u32), deepest: usize) -> bool {
        let link = self.sys.join(format!("dev/block/{major}:{minor}"));
        link.canonicalize().is_ok_and(|directory| self.directory(&directory, deepest))
    }

    /// The same by what describes it.
    fn directory(&self, directory: &Path, deepest: usize) -> bool {
        let Some(deepest) = deepest.checked_sub(1) else { return false };
        // A partition is below its disk.
        let disk = match directory.join("partition").exists() {
            true => directory.parent().unwrap_or(directory),
            false => directory,
        };
        if let Some(all) = self.all(&disk.join("slaves"), deepest) {
            return all;
        }
        if let Ok(file) = std::fs::read(disk.join("loop/backing_file")) {
            let device = (self.device_of)(&path(&file));
            return device.is_some_and(|device| self.device(device, deepest));
        }
        let says = std::fs::read(disk.join("queue/rotational"));
        says.is_ok_and(|says| says.trim_ascii() == b"1") && !self.is_virtual(disk)
    }

    /// Whether all devices that a directory leads to rotate; `None` if it leads to none.
    fn all(&self, directory: &Path, deepest: usize) -> Option<bool> {
        let entries = std::fs::read_dir(directory).ok()?;
        let rotates = entries.map(|entry| {
            let found = entry.and_then(|entry| entry.path().canonicalize());
            found.is_ok_and(|found| self.directory(&found, deepest))
        });
        rotates.reduce(|all, one| all && one)
    }

    fn is_virtual(&self, disk: &Path) -> bool {
        let begins = |file: &str| {
            let said = std::fs::read(disk.join("device").join(file)).unwrap_or_default();
            let said = said.trim_ascii_start();
            VIRTUAL_MODELS.iter().any(|model| said.starts_with(model.as_bytes()))
        };
        if begins("vendor") || begins("model") {
            return true;
        }
        // The disk's own, that of its controller, and so on.
        let directories = disk.ancestors().map(|above| above.join("driver"));
        std::iter::once(disk.join("device/driver")).chain(directories).any(|link| {
            let driver = std::fs::read_link(link).ok();
            let name = driver.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
            name.is_some_and(|name| VIRTUAL_DRIVERS.contains(&name))
        })
    }
}

/// The path in a file of the kernel's, without the newline at its end.
fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    /// A directory that stands for /sys.
    struct Sys(tempfile::TempDir);

    impl Sys {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            create_dir_all(dir.path().join("dev/block")).unwrap();
            Self(dir)
        }

        /// A device with such a place below `devices`, and a number.
        fn device(&self, place: &str, minor: u32, files: &[(&str, &str)]) {
            let directory = self.0.path().join("devices").join(place);
            create_dir_all(&directory).unwrap();
            for (name, contents) in files {
                let file = directory.join(name);
                create_dir_all(file.parent().unwrap()).unwrap();
                write(file, contents).unwrap();
            }
            symlink(&directory, self.0.path().join(format!("dev/block/8:{minor}"))).unwrap();
        }

        fn link(&self, at: &str, to: &str) {
            let (at, to) = (self.0.path().join(at), self.0.path().join(to));
            create_dir_all(at.parent().unwrap()).unwrap();
            create_dir_all(&to).unwrap();
            symlink(to, at).unwrap();
        }

        fn devices<T>(&self, with: impl FnOnce(&Devices<'_>) -> T) -> T {
            let device_of = |path: &Path| (path == Path::new("/images/odd name")).then_some((8, 1));
            with(&Devices { sys: self.0.path(), device_of: &device_of })
        }

        fn rotates(&self, minor: u32) -> bool {
            self.devices(|devices| devices.rotates((8, minor)))
        }
    }

    const ROTATES: (&str, &str) = ("queue/rotational", "1\n");
    const STANDS: (&str, &str) = ("queue/rotational", "0\n");

    /// 8:0 rotates and has a partition, 8:16 does not.
    fn two_disks() -> Sys {
        let sys = Sys::new();
        sys.device("pci/ata1/block/sda", 0, &[ROTATES, ("device/model", "WDC WD40\n")]);
        sys.device("pci/ata1/block/sda/sda1", 1, &[("partition", "1\n")]);
        sys.link("devices/pci/ata1/block/sda/device/driver", "bus/scsi/drivers/sd");
        sys.link("devices/pci/driver", "bus/pci/drivers/ahci");
        sys.device("pci/ata2/block/sdb", 16, &[STANDS]);
        sys
    }

    #[test]
    fn disks_and_their_partitions() {
        let sys = two_disks();
        assert_eq!([0, 1, 16, 99].map(|minor| sys.rotates(minor)), [true, true, false, false]);
    }

    #[test]
    fn virtual_disks_do_not_rotate_whatever_they_say() {
        let sys = Sys::new();
        sys.device("pci/virtio1/block/vda", 0, &[ROTATES]);
        sys.link("devices/pci/virtio1/driver", "bus/virtio/drivers/virtio_blk");
        sys.device("pci/virtio2/host0/block/sda", 1, &[ROTATES]);
        sys.link("devices/pci/virtio2/driver", "bus/virtio/drivers/virtio_scsi");
        sys.device("pci/ata1/block/sdb", 2, &[ROTATES, ("device/model", "QEMU HARDDISK\n")]);
        sys.device("vmbus/block/sdc", 3, &[ROTATES, ("device/vendor", "Msft    \n")]);
        sys.device("vbd-1/block/xvda", 4, &[ROTATES]);
        sys.link("devices/vbd-1/block/xvda/device/driver", "bus/xen/drivers/vbd");
        assert_eq!([0, 1, 2, 3, 4].map(|minor| sys.rotates(minor)), [false; 5]);
    }

    #[test]
    fn what_is_made_of_disks_rotates_if_all_do() {
        let sys = two_disks();
        // dm on a partition; md on that and on the other disk; dm on dm.
        sys.device("virtual/block/dm-0", 20, &[ROTATES]);
        sys.link("devices/virtual/block/dm-0/slaves/sda1", "devices/pci/ata1/block/sda/sda1");
        sys.device("virtual/block/md0", 21, &[ROTATES]);
        sys.link("devices/virtual/block/md0/slaves/sda1", "devices/pci/ata1/block/sda/sda1");
        sys.link("devices/virtual/block/md0/slaves/sdb", "devices/pci/ata2/block/sdb");
        sys.device("virtual/block/dm-1", 22, &[STANDS]);
        sys.link("devices/virtual/block/dm-1/slaves/dm-0", "devices/virtual/block/dm-0");
        assert_eq!([20, 21, 22].map(|minor| sys.rotates(minor)), [true, false, true]);
        // One that leads to itself has an end.
        sys.device("virtual/block/dm-2", 23, &[ROTATES]);
        sys.link("devices/virtual/block/dm-2/slaves/dm-2", "devices/virtual/block/dm-2");
        assert!(!sys.rotates(23));
    }

    #[test]
    fn a_loop_rotates_if_its_file_is_where_that_does() {
        let sys = two_disks();
        let backing = |name| [STANDS, ("loop/backing_file", name)];
        sys.device("virtual/block/loop0", 30, &backing("/images/odd name\n"));
        sys.device("virtual/block/loop1", 31, &backing("/images/gone (deleted)\n"));
        assert_eq!((sys.rotates(30), sys.rotates(31)), (true, false));
    }

    #[test]
    fn a_btrfs_rotates_if_all_its_devices_do() {
        let sys = two_disks();
        let at = |uuid: &str, name| format!("fs/btrfs/{uuid}/devices/{name}");
        let one = "01010101-0101-0101-0101-010101010101";
        let two = "02020202-0202-0202-0202-020202020202";
        sys.link(&at(one, "sda1"), "devices/pci/ata1/block/sda/sda1");
        sys.link(&at(two, "sda1"), "devices/pci/ata1/block/sda/sda1");
        sys.link(&at(two, "sdb"), "devices/pci/ata2/block/sdb");
        let rotates = |byte| sys.devices(|devices| devices.btrfs_rotates([byte; 16]));
        assert_eq!([1, 2, 3].map(rotates), [true, false, false]);
    }
}
