//! The walk on any Unix: one thread, the walkdir crate, full paths. It shows a
//! visitor the same as the fast one and serves the tests as its second opinion.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use crate::warning::{WarningKind, Warnings};

use super::DiskError;
use super::walk::{
    Directory, Entry, Kind, Listed, Meta, Place, Progress, Seen, Top, Trail, Visitor, Walked,
    full_path, is_entry_name,
};

/// A store directory opened to be walked.
pub(super) struct Walker {
    store_dir: PathBuf,
    meta: Meta,
}

/// A directory still to be read.
struct Job {
    trail: Arc<Trail>,
    path: u32,
    dev: u64,
    ino: u64,
}

impl Walker {
    pub(super) fn open(store_dir: &Path) -> Result<Self, DiskError> {
        match std::fs::metadata(store_dir) {
            Ok(found) => Ok(Self { store_dir: store_dir.to_path_buf(), meta: meta(&found) }),
            Err(source) => Err(DiskError::StoreDirectory { path: store_dir.to_path_buf(), source }),
        }
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>, DiskError> {
        let mut listed = Vec::new();
        for entry in WalkDir::new(&self.store_dir).min_depth(1).max_depth(1) {
            let entry = entry.map_err(|error| DiskError::StoreDirectory {
                path: self.store_dir.clone(),
                source: io_error(&error),
            })?;
            listed.push(Listed {
                name: entry.file_name().as_bytes().to_vec(),
                ino: 0,
                kind: Kind::Unknown,
            });
        }
        Ok(listed)
    }

    pub(super) fn walk<V: Visitor>(
        &self,
        tops: &[Top<'_>],
        visitor: &V,
        progress: &Progress,
    ) -> Walked<V::State> {
        let mut state = visitor.state();
        let mut warnings = Warnings::new();
        let (mut entries, mut statted) = (0, 0);
        let mut jobs = Vec::new();
        for top in tops {
            if !is_entry_name(top.name) {
                progress.add_path();
                continue;
            }
            let full = full_path(&self.store_dir, None, top.name);
            let meta =
                match std::fs::symlink_metadata(Path::new(std::ffi::OsStr::from_bytes(&full))) {
                    Ok(found) => meta(&found),
                    Err(error) => {
                        if error.kind() != io::ErrorKind::NotFound
                            && error.kind() != io::ErrorKind::InvalidFilename
                        {
                            warn(&mut warnings, &error, full);
                            visitor.failed(&mut state, top.path);
                        }
                        progress.add_path();
                        continue;
                    }
                };
            entries += 1;
            statted += 1;
            progress.add_entries(1);
            let entry = seen(visitor, &mut state, top.name, &meta);
            let directory = Directory {
                store_dir: &self.store_dir,
                trail: None,
                place: Place::At(&self.store_dir),
                path: top.path,
                dev: self.meta.dev,
                ino: self.meta.ino,
                position: 0,
            };
            visitor.top(&mut state, &directory, &entry);
            match (entry.kind, CString::new(top.name)) {
                (Kind::Directory, Ok(name)) => {
                    if meta.dev != self.meta.dev {
                        warn_mount(&mut warnings, full);
                    }
                    jobs.push(Job {
                        trail: Trail::top(&name, progress.path_counter()),
                        path: top.path,
                        dev: meta.dev,
                        ino: meta.ino,
                    });
                }
                _ => progress.add_path(),
            }
            while let Some(job) = jobs.pop() {
                let (met, below) =
                    self.directory(&job, visitor, &mut state, &mut warnings, progress);
                entries += met;
                statted += met;
                jobs.extend(below);
            }
        }
        warnings.sort();
        Walked { states: vec![state], entries, statted, warnings }
    }

    /// Shows one directory; tells how many entries it has and which are
    /// directories.
    fn directory<V: Visitor>(
        &self,
        job: &Job,
        visitor: &V,
        state: &mut V::State,
        warnings: &mut Warnings,
        progress: &Progress,
    ) -> (u64, Vec<Job>) {
        let full = full_path(&self.store_dir, Some(&job.trail), b"");
        let path = Path::new(std::ffi::OsStr::from_bytes(&full));
        let mut found = Vec::new();
        let mut below = Vec::new();
        for entry in WalkDir::new(path).min_depth(1).max_depth(1).follow_root_links(false) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let of = error.path().map_or(full.as_slice(), |p| p.as_os_str().as_bytes());
                    let of = of.to_vec();
                    warn(warnings, &io_error(&error), of);
                    visitor.failed(state, job.path);
                    continue;
                }
            };
            let name = entry.file_name().as_bytes().to_vec();
            match entry.metadata() {
                Ok(metadata) => {
                    let meta = meta(&metadata);
                    if let (true, Ok(c_name)) = (metadata.is_dir(), CString::new(name.as_slice())) {
                        if meta.dev != job.dev {
                            warn_mount(warnings, entry.path().as_os_str().as_bytes().to_vec());
                        }
                        below.push(Job {
                            trail: Trail::below(&job.trail, &c_name),
                            path: job.path,
                            dev: meta.dev,
                            ino: meta.ino,
                        });
                    }
                    found.push((name, Some(meta)));
                }
                Err(error) => {
                    warn(warnings, &io_error(&error), entry.path().as_os_str().as_bytes().to_vec());
                    visitor.failed(state, job.path);
                    found.push((name, None));
                }
            }
        }
        progress.add_entries(found.len());
        let entries: Vec<_> = found
            .iter()
            .map(|(name, meta)| match meta {
                Some(meta) => seen(visitor, state, name, meta),
                None => Entry { name, ino: 0, kind: Kind::Unknown, seen: Seen::Failed },
            })
            .collect();
        let directory = Directory {
            store_dir: &self.store_dir,
            trail: Some(&job.trail),
            place: Place::At(path),
            path: job.path,
            dev: job.dev,
            ino: job.ino,
            position: 0,
        };
        visitor.directory(state, &directory, entries.into_iter());
        below.retain(|job| visitor.descend(&directory, job.trail.name.as_bytes()));
        (found.len() as u64, below)
    }
}

fn seen<'a, V: Visitor>(
    visitor: &V,
    state: &mut V::State,
    name: &'a [u8],
    meta: &Meta,
) -> Entry<'a, V::Tag> {
    let kind = Kind::from_mode(meta.mode);
    let tag = if kind == Kind::Directory { None } else { visitor.met(state, kind, meta) };
    Entry { name, ino: meta.ino, kind, seen: tag.map_or(Seen::Stat(*meta), Seen::Known) }
}

fn warn(warnings: &mut Warnings, error: &io::Error, path: Vec<u8>) {
    warnings.push(WarningKind::of_error(error), path, error.to_string());
}

/// The system's error; walkdir's own message repeats the path.
fn io_error(error: &walkdir::Error) -> io::Error {
    match error.io_error().and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}

fn warn_mount(warnings: &mut Warnings, path: Vec<u8>) {
    warnings.push(WarningKind::MountPoint, path, "another file system is mounted here");
}

fn meta(found: &std::fs::Metadata) -> Meta {
    Meta {
        dev: found.dev(),
        ino: found.ino(),
        size: found.size(),
        disk_size: found.blocks().saturating_mul(512),
        mtime: found.mtime(),
        mtime_nsec: u32::try_from(found.mtime_nsec()).unwrap_or(0),
        nlink: u32::try_from(found.nlink()).unwrap_or(u32::MAX),
        mode: found.mode(),
        uid: found.uid(),
        gid: found.gid(),
    }
}
