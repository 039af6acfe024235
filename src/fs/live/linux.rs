//! Directories by descriptor, with the system calls that only Linux has:
//! `openat2`, `getdents64`, `statx`, `O_PATH`, `O_NOATIME` and `/proc/self/fd`.
//!
//! What must hold: a name is looked up exactly once, by the call that opens it,
//! and what it led to is asked by descriptor from then on. There is no moment
//! at which a name that was checked is looked up again.

use super::super::btrfs::{self, Btrfs};
use super::super::upper::UpperSource;
use super::super::xfs::Xfs;
use super::super::{
    Capacity, DirEntry, ExtentSource, Facts, FileExtents, FileType, Stat, not_regular,
};
use super::super::{f2fs, overlay};
use super::layers::Layers;
use super::rotation::{Devices, SYS};
use super::{list_xattrs, open_file_xattrs};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RawDir, ResolveFlags, Statx, StatxAttributes, StatxFlags, openat,
    openat2,
};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Bytes that one getdents64 may fill; more gains nothing.
const BUFFER: usize = 32 * 1024;
/// How often a name is tried again while others rename on its way: the kernel
/// gives up a lookup of `..` that raced with a rename.
const RETRIES: usize = 64;

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    /// Whether to ask that no time of access be left behind. Only an owner may;
    /// handed down to what is opened from here.
    noatime: AtomicBool,
    /// The call that stats entries: [`STATX`] or [`FSTATAT`]. Handed down too.
    call: AtomicU8,
    /// The layers of the overlayfs that it is in, where files of it have to be
    /// told apart. Handed down too.
    layers: Option<Arc<Layers>>,
}

/// Files are opened so: what else took their place is not waited for.
const OF_FILES: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const STATX: u8 = 0;
const FSTATAT: u8 = 1;

/// The last place that there can be in a directory: nothing follows it. ext4 gives it to the
/// last entry, which saves the call that would find nothing more.
const LAST_PLACE: u64 = i64::MAX as u64;

/// A file that was found but not opened yet (`O_PATH`): of any type.
#[derive(Debug)]
pub(crate) struct FoundInRoot {
    fd: OwnedFd,
    stat: Stat,
}

impl Directory {
    fn new(fd: OwnedFd) -> Self {
        Self { fd, noatime: AtomicBool::new(true), call: AtomicU8::new(STATX), layers: None }
    }

    fn inherit(&self, fd: OwnedFd) -> Self {
        Self {
            fd,
            noatime: AtomicBool::new(self.noatime.load(Ordering::Relaxed)),
            call: AtomicU8::new(self.call.load(Ordering::Relaxed)),
            layers: self.layers.clone(),
        }
    }

    pub(crate) fn root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::new(openat(CWD, path, flags, Mode::empty())?))
    }

    pub(crate) fn read(
        &self,
        buffer: &mut Vec<u8>,
        each: &mut dyn FnMut(DirEntry<'_>),
    ) -> io::Result<()> {
        buffer.clear();
        buffer.reserve(BUFFER);
        let mut raw = RawDir::new(&self.fd, buffer.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name();
            let next = entry.next_entry_cookie();
            if !matches!(name.to_bytes(), b"." | b"..") {
                each(DirEntry { name, ino: entry.ino(), file_type: entry.file_type().into() });
            }
            if next == LAST_PLACE && raw.is_buffer_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Inlined wherever it is called: most of a scan is this, and what it gives
    /// would be copied otherwise.
    #[inline(always)]
    pub(crate) fn stat(&self, name: &CStr) -> io::Result<Stat> {
        if self.call.load(Ordering::Relaxed) == STATX {
            let flags = Self::stat_flags(name);
            match rustix::fs::statx(&self.fd, name, flags, StatxFlags::BASIC_STATS) {
                Ok(found) => {
                    let mut stat = from_statx(&found);
                    if let Some(layers) = &self.layers {
                        layers.unify(&mut stat, mount(&found), subvolume(&found));
                    }
                    return Ok(stat);
                }
                // Older containers' seccomp filters know no statx.
                Err(Errno::NOSYS | Errno::PERM) => self.call.store(FSTATAT, Ordering::Relaxed),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.stat_by_fstatat(name)
    }

    #[cold]
    fn stat_by_fstatat(&self, name: &CStr) -> io::Result<Stat> {
        let mut stat = from_stat(&rustix::fs::statat(&self.fd, name, Self::stat_flags(name))?);
        if let Some(layers) = &self.layers {
            layers.unify(&mut stat, None, None);
        }
        Ok(stat)
    }

    /// The same directory; what is opened from it has identities that hold on
    /// overlayfs too.
    pub(crate) fn with_layers(mut self) -> Self {
        let overlay = rustix::fs::fstatfs(&self.fd).is_ok_and(|fs| fs.f_type as u32 == OVERLAYFS);
        if overlay && let Ok(stat) = self.stat(c"") {
            let flags = Self::stat_flags(c"");
            let found = rustix::fs::statx(&self.fd, c"", flags, StatxFlags::BASIC_STATS);
            let (mount, subvolume) =
                found.map_or((None, None), |found| (mount(&found), subvolume(&found)));
            self.layers = Some(Arc::new(Layers::new(stat.dev, mount, subvolume)));
        }
        self
    }

    pub(crate) fn agrees(&self, entry: u64, stat: &Stat) -> bool {
        match &self.layers {
            Some(layers) => layers.stands_for(stat.ino, entry),
            None => stat.ino == entry,
        }
    }

    /// Whether the kernel leaves it to devices to tell files of different layers of an overlay
    /// apart, and directories have numbers of its own: as far as such were met.
    pub(in crate::fs) fn tells_layers_apart(&self) -> bool {
        self.layers.as_ref().is_some_and(|layers| layers.any())
    }

    #[inline(always)]
    fn stat_flags(name: &CStr) -> AtFlags {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        if name.is_empty() { flags | AtFlags::EMPTY_PATH } else { flags }
    }

    pub(crate) fn read_link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.fd, name, Vec::new())?.into_bytes())
    }

    /// Asked through `/proc/self/fd`, the only way for a symlink: the calls that
    /// take a descriptor refuse one that was opened with `O_PATH`. Where there
    /// is no /proc, a file or directory is opened to be asked.
    pub(crate) fn xattrs(&self, name: &CStr) -> io::Result<Vec<u8>> {
        if name.is_empty() {
            return open_file_xattrs(&self.fd);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        let listed = list_xattrs(|buffer| rustix::fs::listxattr(proc_path(fd.as_fd()), buffer));
        match listed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                open_file_xattrs(openat(&self.fd, name, flags, Mode::empty())?)
            }
            listed => listed,
        }
    }

    pub(crate) fn open_directory(&self, name: &CStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(self.inherit(self.open_without_trace(name, flags)?))
    }

    /// Whether an entry is one that its file system compresses, or does not say so.
    pub(crate) fn may_be_compressed(&self, name: &CStr) -> bool {
        let flags = Self::stat_flags(name);
        rustix::fs::statx(&self.fd, name, flags, StatxFlags::empty()).map_or(true, |found| {
            let says = |of: StatxAttributes| of.contains(StatxAttributes::COMPRESSED);
            !says(found.stx_attributes_mask) || says(found.stx_attributes)
        })
    }

    pub(crate) fn may_read(&self, name: &CStr) -> io::Result<()> {
        let (access, flags) = (rustix::fs::Access::READ_OK, AtFlags::EACCESS);
        Ok(rustix::fs::accessat(&self.fd, name, access, flags)?)
    }

    pub(crate) fn pass_directory(&self, name: &CStr) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(self.inherit(openat(&self.fd, name, flags, Mode::empty())?))
    }

    /// Over several names at once; `None` where the kernel does not have
    /// `openat2`, a container forbids it, or the path is too long for one call.
    pub(crate) fn pass_path(&self, path: &[u8]) -> Option<io::Result<Self>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        // No name at all leads nowhere to the kernel.
        let path = if path.is_empty() { b"." } else { path };
        match openat2(&self.fd, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG) => None,
            opened => Some(opened.map(|fd| self.inherit(fd)).map_err(Into::into)),
        }
    }

    pub(crate) fn open_file(&self, name: &CStr) -> io::Result<(File, Stat)> {
        let opened = self.open_without_trace(name, OF_FILES)?;
        let (opened, stat) = match &self.layers {
            // Faster than `statx` by an eighth.
            None => {
                let stat = from_stat(&rustix::fs::fstat(&opened)?);
                (opened, stat)
            }
            // What a directory's calls say of any file: its layer's too.
            Some(_) => {
                let opened = self.inherit(opened);
                let stat = opened.stat(c"")?;
                (opened.fd, stat)
            }
        };
        match stat.file_type() {
            FileType::Regular => Ok((opened.into(), stat)),
            _ => Err(not_regular()),
        }
    }

    /// Opens what was a regular file, and does not ask what it is now.
    pub(crate) fn open_known_file(&self, name: &CStr) -> io::Result<File> {
        Ok(self.open_without_trace(name, OF_FILES)?.into())
    }

    /// Opens, and leaves the time of access alone where we may.
    fn open_without_trace(&self, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.noatime.load(Ordering::Relaxed) {
            match openat(&self.fd, name, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.noatime.store(false, Ordering::Relaxed),
                opened => return opened,
            }
        }
        openat(&self.fd, name, flags, Mode::empty())
    }

    pub(crate) fn open_unknown_file(&self, name: &CStr) -> io::Result<(File, Stat)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = self.inherit(openat(&self.fd, name, flags, Mode::empty())?);
        let found = FoundInRoot::of(found)?;
        let stat = found.stat;
        match found.into_file() {
            // Without /proc: by name again, and compared after.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let (file, opened) = self.open_file(name)?;
                if opened.identity() == stat.identity() {
                    Ok((file, opened))
                } else {
                    Err(Errno::STALE.into())
                }
            }
            opened => opened,
        }
    }

    /// Finds a name below this directory with the kernel keeping symlinks
    /// inside of it. `None` where the kernel does not have `openat2`, or a
    /// container forbids it.
    pub(crate) fn find_in_root(&self, name: &Path) -> Option<io::Result<FoundInRoot>> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RETRIES {
            match openat2(&self.fd, name, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOSYS | Errno::PERM) => return None,
                found => return Some(found.map_err(Into::into).and_then(FoundInRoot::new)),
            }
        }
        Some(Err(Errno::AGAIN.into()))
    }

    pub(crate) fn path_by_descriptor(&self) -> Option<PathBuf> {
        let path = proc_path(self.fd.as_fd());
        let found = Stat::from(&std::fs::metadata(&path).ok()?);
        let own = from_stat(&rustix::fs::fstat(&self.fd).ok()?);
        (found.identity() == own.identity()).then_some(path)
    }

    pub(crate) fn file_system(&self) -> Option<u64> {
        rustix::fs::fstatvfs(&self.fd).ok().map(|found| found.f_fsid)
    }

    pub(crate) fn capacity(&self) -> io::Result<Capacity> {
        Ok(rustix::fs::fstatvfs(&self.fd)?.into())
    }

    /// Whether it lies on disks that rotate, by what this machine says of them.
    pub(crate) fn rotates(&self) -> bool {
        let number = |dev| (rustix::fs::major(dev), rustix::fs::minor(dev));
        let device_of = |path: &Path| {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(path).ok().map(|found| number(found.dev()))
        };
        let devices = Devices { sys: SYS.as_ref(), device_of: &device_of };
        let Ok(statfs) = rustix::fs::fstatfs(&self.fd) else { return false };
        if statfs.f_type as u32 == BTRFS {
            return btrfs::fsid(&self.fd).is_ok_and(|fsid| devices.btrfs_rotates(fsid));
        }
        self.stat(c"").is_ok_and(|stat| devices.rotates(number(stat.dev)))
    }

    /// What its file system is decides it.
    pub(crate) fn extents(&self) -> ExtentSource {
        let unknown = |why: &str| ExtentSource::Unknown(why.to_owned());
        let statfs = match rustix::fs::fstatfs(&self.fd) {
            Ok(statfs) => statfs,
            Err(error) => {
                let why = format!("the file system does not say what it is: {error}");
                return ExtentSource::Failed(why);
            }
        };
        match beneath_blocks(statfs.f_type as u32) {
            Beneath::Nothing => ExtentSource::Blocks,
            Beneath::Unknown(why) => unknown(why),
            Beneath::Layers => overlay::source(self),
            Beneath::Btrfs => match self.fd.try_clone().and_then(Btrfs::new) {
                Ok(btrfs) => ExtentSource::Extents(Box::new(btrfs)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    ExtentSource::Files(FileExtents {
                        why: "btrfs shows extents to root only".to_owned(),
                        block_size: statfs.f_bsize as u64,
                        exact: false,
                    })
                }
                Err(error) => unknown(&format!("btrfs does not show its extents: {error}")),
            },
            Beneath::F2fs => {
                let mount = mount_of(self);
                let options = mount.as_ref().map(|mount| &*mount.options);
                f2fs::source(&self.fd, statfs.f_bsize as u64, options)
            }
            Beneath::Xfs => match self.fd.try_clone() {
                Ok(fd) => Xfs::source(fd),
                Err(error) => unknown(&format!("XFS does not show its extents: {error}")),
            },
        }
    }

    /// What goes from the disk when what is in it is deleted.
    pub(crate) fn upper(&self) -> UpperSource {
        let file_system = rustix::fs::fstatfs(&self.fd).map(|statfs| statfs.f_type as u32);
        match file_system {
            Ok(OVERLAYFS) => overlay::upper(self),
            _ => upper_of(file_system.ok(), || Some(mount_of(self)?.file_system)),
        }
    }

    /// What an overlay has beneath the blocks of a layer that this is in.
    pub(in crate::fs) fn as_layer(&self) -> LayerBeneath {
        let statfs = rustix::fs::fstatfs(&self.fd);
        match statfs.map(|statfs| beneath_blocks(statfs.f_type as u32)) {
            Ok(Beneath::Nothing) => LayerBeneath::Blocks,
            Ok(Beneath::Btrfs | Beneath::Xfs) => LayerBeneath::Extents,
            Ok(Beneath::F2fs) => {
                LayerBeneath::Unknown("a layer is on f2fs, which may compress files")
            }
            Ok(Beneath::Layers) => LayerBeneath::Unknown("a layer is itself an overlay"),
            Ok(Beneath::Unknown(why)) => LayerBeneath::Unknown(why),
            Err(_) => LayerBeneath::Unknown("the file system does not say what it is"),
        }
    }

    /// Whether directories of its file system may have blocks of their own: not on btrfs, tmpfs
    /// and ramfs.
    pub(in crate::fs) fn may_have_blocks(&self) -> bool {
        let statfs = rustix::fs::fstatfs(&self.fd);
        !statfs.is_ok_and(|statfs| matches!(statfs.f_type as u32, BTRFS | TMPFS | RAMFS))
    }

    /// The UUID of the btrfs that it is in, if it is in one: the same in all its subvolumes.
    pub(in crate::fs) fn btrfs_id(&self) -> Option<[u8; 16]> {
        let is_btrfs = rustix::fs::fstatfs(&self.fd).is_ok_and(|fs| fs.f_type as u32 == BTRFS);
        btrfs::fsid(&self.fd).ok().filter(|_| is_btrfs)
    }

    pub(crate) fn facts(&self) -> Facts {
        let file_system = rustix::fs::fstatfs(&self.fd).map_or(0, |statfs| statfs.f_type as u32);
        let path = std::fs::read_link(proc_path(self.fd.as_fd())).ok();
        let mounts = std::fs::read("/proc/self/mountinfo").ok();
        let mounts_below = path.zip(mounts).map(|(path, mounts)| mounted_below(&mounts, &path));
        Facts {
            trusted_inodes: tells_inodes_truly(file_system) && mounts_below == Some(false),
            mounts_below,
            copies_up: file_system == OVERLAYFS,
            link_limit: link_limit(file_system),
        }
    }
}

impl FoundInRoot {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Self::of(Directory::new(fd))
    }

    /// What a directory's calls say of a file of any type.
    fn of(found: Directory) -> io::Result<Self> {
        let stat = found.stat(c"")?;
        Ok(Self { fd: found.fd, stat })
    }

    /// The directory, which need not be readable.
    pub(crate) fn pass_directory(self) -> io::Result<Directory> {
        match self.stat.file_type() {
            FileType::Directory => Ok(Directory::new(self.fd)),
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    pub(crate) fn into_directory(self) -> io::Result<Directory> {
        if self.stat.file_type() != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        // `.` is the directory itself, whatever its name leads to by now.
        Directory::new(self.fd).open_directory(c".")
    }

    /// Opens a regular file, and nothing else: through `/proc/self/fd`, which
    /// leads to the very file that was found. `Unsupported` where there is no /proc.
    pub(crate) fn into_file(self) -> io::Result<(File, Stat)> {
        if self.stat.file_type() != FileType::Regular {
            return Err(not_regular());
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = proc_path(self.fd.as_fd());
        let open = |flags| openat(CWD, &path, flags, Mode::empty());
        let opened = match open(flags | OFlags::NOATIME) {
            Err(Errno::PERM) => open(flags),
            opened => opened,
        };
        let opened = opened.map_err(|errno| match errno {
            // What was found has such a name for as long as it is open.
            Errno::NOENT | Errno::NOTDIR => io::ErrorKind::Unsupported.into(),
            errno => io::Error::from(errno),
        })?;
        Ok((opened.into(), self.stat))
    }
}

/// How an open file of f2fs is compressed.
pub(in crate::fs) use super::super::f2fs::compressed;
/// Reads what of an open file is in memory, from where its last read ended. `None` where nothing
/// is; on some file systems nobody can tell, and not before Linux 4.14.
pub(in crate::fs) fn read_now(file: &File, buffer: &mut [u8]) -> Option<usize> {
    let mut into = [IoSliceMut::new(buffer)];
    preadv2(file, &mut into, u64::MAX, ReadWriteFlags::NOWAIT).ok()
}

/// Shows the ranges of an open file that are mapped to the disk.
pub(in crate::fs) use super::super::fiemap::read as mapped;

/// How often this process has a file open; `None` where there is no /proc.
pub(crate) fn times_open(identity: (u64, u64)) -> Option<usize> {
    let descriptors = std::fs::read_dir("/proc/self/fd").ok()?;
    // What is closed meanwhile, by another thread, is not the one asked for.
    let open = |entry: io::Result<std::fs::DirEntry>| std::fs::metadata(entry?.path());
    let open = descriptors.filter_map(|entry| open(entry).ok());
    Some(open.filter(|found| Stat::from(found).identity() == identity).count())
}

/// `f_type` of btrfs and XFS.
const BTRFS: u32 = 0x9123_683e;
const XFS: u32 = 0x5846_5342;
/// `f_type` of tmpfs and ramfs.
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
/// `f_type` of f2fs.
const F2FS: u32 = 0xf2f5_2010;
/// `f_type` of overlayfs.
const OVERLAYFS: u32 = 0x794c_7630;

/// `f_type` of aufs, and of whatever a program shows (FUSE).
const AUFS: u32 = 0x6175_6673;
const FUSE: u32 = 0x6573_5546;

/// What goes when something is deleted that is not on overlayfs, by `f_type`, and by the file
/// system's name in `mountinfo`.
fn upper_of(file_system: Option<u32>, name: impl Fn() -> Option<Vec<u8>>) -> UpperSource {
    let unknown = |why: &str| UpperSource::Unknown(why.to_owned());
    match file_system {
        None => unknown("the file system does not say what it is"),
        Some(AUFS) => unknown("aufs does not show which files are in its topmost layer"),
        Some(FUSE) => match name().as_deref() {
            None => unknown("the system does not say how it is mounted"),
            Some(b"fuse.fuse-overlayfs") => {
                unknown("fuse-overlayfs does not show which files are in its upper layer")
            }
            Some(_) => UpperSource::All,
        },
        Some(_) => UpperSource::All,
    }
}

/// The number of the mount that a file is in, since Linux 5.8.
fn mount(statx: &Statx) -> Option<u64> {
    let told = statx.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    told.then_some(statx.stx_mnt_id)
}

/// The subvolume that a file is in, since Linux 6.10; on overlayfs that of the file it shows.
fn subvolume(statx: &Statx) -> Option<u64> {
    /// `STATX_SUBVOL`.
    const TOLD: u32 = 0x8000;
    let told = statx.stx_mask & TOLD != 0;
    told.then_some(statx.stx_subvol)
}

/// The name by which the kernel leads to an open file.
fn proc_path(fd: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

#[inline(always)]
fn from_statx(statx: &Statx) -> Stat {
    Stat {
        dev: rustix::fs::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        ino: statx.stx_ino,
        size: statx.stx_size,
        disk_size: statx.stx_blocks.saturating_mul(512),
        mtime: statx.stx_mtime.tv_sec,
        mtime_nsec: statx.stx_mtime.tv_nsec,
        ctime: statx.stx_ctime.tv_sec,
        ctime_nsec: statx.stx_ctime.tv_nsec,
        nlink: statx.stx_nlink,
        mode: u32::from(statx.stx_mode),
        uid: statx.stx_uid,
        gid: statx.stx_gid,
    }
}

#[allow(clippy::unnecessary_cast, reason = "the fields' types differ by architecture")]
fn from_stat(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        dev: stat.st_dev as u64,
        ino: stat.st_ino as u64,
        size: stat.st_size as u64,
        disk_size: (stat.st_blocks as u64).saturating_mul(512),
        mtime: stat.st_mtime as i64,
        mtime_nsec: stat.st_mtime_nsec as u32,
        ctime: stat.st_ctime as i64,
        ctime_nsec: stat.st_ctime_nsec as u32,
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        mode: stat.st_mode as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

/// What a file system has beneath the blocks that `stat` reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beneath {
    /// Neither is anything compressed nor shared.
    Nothing,
    Btrfs,
    Xfs,
    F2fs,
    /// What its layers have.
    Layers,
    /// That cannot be asked, for this reason.
    Unknown(&'static str),
}

/// The same by `f_type`.
fn beneath_blocks(file_system: u32) -> Beneath {
    match file_system {
        // ext2, ext3 and ext4, tmpfs, ramfs, jfs, minix.
        0xef53 | TMPFS | RAMFS | 0x3153_464a | 0x137f | 0x138f | 0x2468 | 0x2478 | 0x4d5a => {
            Beneath::Nothing
        }
        BTRFS => Beneath::Btrfs,
        XFS => Beneath::Xfs,
        OVERLAYFS => Beneath::Layers,
        0x2fc1_2fc1 => Beneath::Unknown(
            "on ZFS disk sizes are compressed, and clones and deduplication count in each file",
        ),
        0xca45_1a4e => Beneath::Unknown("bcachefs may compress and share extents"),
        F2FS => Beneath::F2fs,
        0x7371_7368 | 0xe0f5_e1e2 => {
            Beneath::Unknown("the file system may compress and share files")
        }
        _ => Beneath::Unknown("the file system is none of which that is known"),
    }
}

/// What an overlay has beneath the blocks of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum LayerBeneath {
    Blocks,
    /// Its file system may say it.
    Extents,
    Unknown(&'static str),
}

/// Where a directory is mounted.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fs) struct MountOf {
    /// The file system's name.
    file_system: Vec<u8>,
    /// The options of the file system, as `mountinfo` has them.
    pub(in crate::fs) options: Vec<u8>,
    /// Where in the file system the directory is, from its root on.
    pub(in crate::fs) below: Vec<u8>,
}

/// The mount of a directory, if the system says it.
pub(in crate::fs) fn mount_of(directory: &Directory) -> Option<MountOf> {
    let flags = Directory::stat_flags(c"");
    let found = rustix::fs::statx(&directory.fd, c"", flags, StatxFlags::MNT_ID).ok()?;
    let path = std::fs::read_link(proc_path(directory.fd.as_fd())).ok()?;
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    find_mount(&mounts, mount(&found)?, path.as_os_str().as_bytes())
}

/// That of a path in the mount of a number.
fn find_mount(mountinfo: &[u8], number: u64, path: &[u8]) -> Option<MountOf> {
    let number = number.to_string();
    let line = mountinfo.split(|&byte| byte == b'\n').find_map(|line| {
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        (words[0] == number.as_bytes()).then_some(words)
    })?;
    let after = line.iter().position(|word| *word == b"-")?;
    let (root, point) = (unescaped(line.get(3)?), unescaped(line.get(4)?));
    let point = point.strip_suffix(b"/").unwrap_or(&point);
    let below = path.strip_prefix(point)?;
    if !below.is_empty() && !below.starts_with(b"/") {
        return None;
    }
    let root = root.strip_suffix(b"/").unwrap_or(&root);
    let (file_system, options) = (line.get(after + 1)?.to_vec(), line.get(after + 3)?.to_vec());
    Some(MountOf { file_system, options, below: [root, below].concat() })
}

/// How many names an inode may have (each kernel file system's own constant).
fn link_limit(file_system: u32) -> Option<u32> {
    match file_system {
        // ext2, ext3 and ext4: EXT4_LINK_MAX.
        0xef53 => Some(65_000),
        // btrfs: BTRFS_LINK_MAX. jfs: JFS_LINK_MAX.
        0x9123_683e | 0x3153_464a => Some(65_535),
        // xfs: XFS_MAXLINK.
        0x5846_5342 => Some(i32::MAX as u32),
        // nilfs2: NILFS_LINK_MAX.
        0x3434 => Some(32_000),
        // minix, version 1: MINIX_LINK_MAX; versions 2 and 3: MINIX2_LINK_MAX.
        0x137f | 0x138f => Some(250),
        0x2468 | 0x2478 | 0x4d5a => Some(65_530),
        _ => None,
    }
}

/// Whether directories report the inode numbers that statx reports.
///
/// Not so on overlayfs and others that make numbers up.
fn tells_inodes_truly(file_system: u32) -> bool {
    /// `f_type` of file systems known to: ext2, ext3 and ext4, xfs, btrfs,
    /// tmpfs, squashfs, erofs, f2fs, bcachefs, zfs.
    const TRUE: [u32; 9] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x7371_7368,
        0xe0f5_e1e2,
        0xf2f5_2010,
        0xca45_1a4e,
        0x2fc1_2fc1,
    ];
    TRUE.contains(&file_system)
}

/// A word of `mountinfo`: space, tab, newline and backslash are written in octal there.
pub(in crate::fs) fn unescaped(word: &[u8]) -> Vec<u8> {
    octal_bytes(word).map(|(byte, _)| byte).collect()
}

/// The bytes of a word, and of each whether it was written in octal.
pub(in crate::fs) fn octal_bytes(word: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let octal = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        rest = if octal.is_some() { &after[3..] } else { after };
        Some(octal.map_or((first, false), |byte| (byte, true)))
    })
}

/// Whether `/proc/self/mountinfo` lists a mount below `dir`.
fn mounted_below(mountinfo: &[u8], dir: &Path) -> bool {
    let mut prefix = dir.as_os_str().as_bytes().to_vec();
    if !prefix.ends_with(b"/") {
        prefix.push(b'/');
    }
    mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .any(|point| unescaped(point).starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_a_directory() {
        let mountinfo = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
            23 22 254:0 /a /nix/store rw - ext4 /dev/vda rw\n\
            24 22 0:5 / /odd\\040name/x rw shared:1 - tmpfs tmpfs rw\n";
        assert!(!mounted_below(mountinfo, Path::new("/nix/store")));
        assert!(!mounted_below(mountinfo, Path::new("/nix/sto")));
        assert!(mounted_below(mountinfo, Path::new("/nix")));
        assert!(mounted_below(mountinfo, Path::new("/")));
        assert!(mounted_below(mountinfo, Path::new("/odd name")));
        assert!(!mounted_below(b"", Path::new("/")));
    }

    #[test]
    fn a_directory_is_below_the_root_of_its_mount() {
        let mountinfo = b"22 1 0:5 / / rw - overlay overlay rw,lowerdir=/a\n\
            23 22 0:5 /inner\\040dir /odd\\040name/x rw shared:1 - overlay none rw,lowerdir=/b\n";
        let below = |number, path: &str| {
            let found = find_mount(mountinfo, number, path.as_bytes())?;
            Some((
                String::from_utf8(found.options).unwrap(),
                String::from_utf8(found.below).unwrap(),
            ))
        };
        let found = |options: &str, below: &str| Some((options.to_owned(), below.to_owned()));
        assert_eq!(below(22, "/nix/store"), found("rw,lowerdir=/a", "/nix/store"));
        assert_eq!(below(23, "/odd name/x"), found("rw,lowerdir=/b", "/inner dir"));
        assert_eq!(below(23, "/odd name/x/y"), found("rw,lowerdir=/b", "/inner dir/y"));
        assert_eq!((below(23, "/odd name/xy"), below(24, "/"), below(2, "/")), (None, None, None));
    }

    /// Where that cannot be told nothing is taken for all.
    #[test]
    fn what_goes_is_known_of_file_systems_without_layers_alone() {
        let why = |file_system, name: Option<&str>| match upper_of(file_system, || {
            name.map(|name| name.as_bytes().to_vec())
        }) {
            UpperSource::All => None,
            UpperSource::Unknown(why) => Some(why),
            UpperSource::Files(_) => panic!(),
        };
        let says = |said: Option<String>, part: &str| said.is_some_and(|why| why.contains(part));
        assert!(says(why(None, None), "does not say what it is"));
        assert!(says(why(Some(AUFS), Some("aufs")), "aufs"));
        assert!(says(why(Some(FUSE), Some("fuse.fuse-overlayfs")), "fuse-overlayfs"));
        assert!(says(why(Some(FUSE), None), "how it is mounted"));
        for (file_system, name) in [(FUSE, "fuse.sshfs"), (FUSE, "fuse"), (BTRFS, "btrfs")] {
            assert_eq!(why(Some(file_system), Some(name)), None);
        }
        assert_eq!(why(Some(0xef53), None), None);
        let mountinfo = b"22 1 0:5 / /a rw - fuse.fuse-overlayfs fuse-overlayfs rw\n";
        let found = find_mount(mountinfo, 22, b"/a/b").unwrap();
        assert_eq!(found.file_system, b"fuse.fuse-overlayfs");
    }

    #[test]
    fn what_is_beneath_blocks_is_known_or_said_not_to_be() {
        let unknown = |file_system| match beneath_blocks(file_system) {
            Beneath::Unknown(why) => why,
            other => panic!("{other:?}"),
        };
        // bcachefs, ZFS, one of 9p.
        assert!(unknown(0xca45_1a4e).contains("bcachefs may compress and share"));
        assert!(unknown(0x2fc1_2fc1).contains("clones and deduplication count in each file"));
        assert!(unknown(0x0102_1997).contains("none of which that is known"));
        let known = [0xef53, 0x0102_1994, BTRFS, XFS, F2FS].map(beneath_blocks);
        let expected =
            [Beneath::Nothing, Beneath::Nothing, Beneath::Btrfs, Beneath::Xfs, Beneath::F2fs];
        assert_eq!(known, expected);
    }

    #[test]
    fn statx_and_fstatat_agree() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "contents").unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        let directory = Directory::root(dir.path()).unwrap();
        let names = [c"file", c"link", c""];
        let by_statx = names.map(|name| directory.stat(name).unwrap());
        directory.call.store(FSTATAT, Ordering::Relaxed);
        assert_eq!(names.map(|name| directory.stat(name).unwrap()), by_statx);
    }
}
