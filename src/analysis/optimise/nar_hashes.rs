//! The SHA-256 of the NARs of many files, several at once on each thread: what the
//! names in `.links` are.

use super::classes::Queue;
use super::gathered::GatheredTree;
use super::reader::{ContentsReader, Hash, ReadBuffers, changed};
use crate::fs::{FileType, Stat};
use crate::nar::lanes::{Hashed, Jobs, Lanes};
use crate::nar::size;
use crate::nar::stream::{Look, NarError, NarProblem, NarWriter};
use std::io;

/// Hashes inodes on the threads of the pool it is called in; each with what came of it.
pub(super) fn nar_hashes(
    reader: &ContentsReader<'_>,
    inodes: &Queue<'_, u32>,
) -> impl Iterator<Item = (u32, io::Result<Hash>)> {
    let done = rayon::broadcast(|_| {
        let buffers = ReadBuffers::default();
        let mut files = Files { reader, inodes, taken: &[], buffers, done: Vec::new() };
        Lanes::new(reader.reading.in_order, || NarWriter::looking(Number::default()))
            .run(&mut files);
        files.done
    });
    done.into_iter().flatten()
}

/// The number of the inode that was opened.
#[derive(Clone, Default)]
struct Number(u64);

impl Look for Number {
    const LOOKS: bool = true;

    fn look(&mut self, stat: &Stat, _: u32, _: impl Fn() -> Vec<u8>) {
        self.0 = stat.ino;
    }
}

/// What one thread hashes.
struct Files<'r, 'q> {
    reader: &'r ContentsReader<'r>,
    inodes: &'r Queue<'q, u32>,
    taken: &'q [u32],
    buffers: ReadBuffers,
    done: Vec<(u32, io::Result<Hash>)>,
}

impl Files<'_, '_> {
    fn tree(&self) -> &GatheredTree {
        self.reader.tree
    }

    fn size(&self, inode: u32) -> u64 {
        self.tree().layout.inodes[inode as usize].size
    }
}

impl Jobs for Files<'_, '_> {
    type Job = u32;
    type Look = Number;

    fn next(&mut self, writer: &mut NarWriter<Number>) -> Option<(u32, Result<(), NarError>)> {
        loop {
            if self.taken.is_empty() {
                self.taken = self.inodes.take();
            }
            let (&inode, rest) = self.taken.split_first()?;
            self.taken = rest;
            if self.tree().flags[inode as usize].symlink() {
                // Its target is all there is.
                self.done.push((inode, self.reader.hash(inode, None, &mut self.buffers)));
                continue;
            }
            match self.reader.place(inode, None, &mut self.buffers.last) {
                Ok((directory, name)) => {
                    return Some((inode, writer.begin(directory, name, FileType::Regular)));
                }
                Err(error) => self.done.push((inode, Err(error))),
            }
        }
    }

    fn done(&mut self, inode: u32, hashed: Hashed<Number>) {
        let executable = self.tree().flags[inode as usize].executable();
        let expected = size::NAR.saturating_add(size::file(self.size(inode), executable));
        let hash = match hashed.hash {
            Ok((size, hash)) => {
                let same = hashed.looker.0 == self.tree().numbers[inode as usize];
                if same && size == expected { Ok(hash) } else { Err(changed()) }
            }
            Err(NarError { problem: NarProblem::Io(errno), .. }) => Err(errno.into()),
            Err(_) => Err(changed()),
        };
        if hash.is_ok() {
            self.reader.count(self.size(inode));
        }
        self.done.push((inode, hash));
    }
}
