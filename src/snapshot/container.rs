//! The file around the sections: header, tables, chunks.

use super::SnapshotError;
use crate::threads;
use rayon::prelude::*;
use std::io::{self, Read, Write};

/// What the file begins with. The first byte is no text's, the last shows
/// transfers that change line ends.
pub(crate) const MAGIC: [u8; 8] = *b"\x89CENSUS\n";

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// The length of the header.
const HEADER: usize = 32;
/// The length of a section's row in the table.
const SECTION: usize = 16;
/// The length of a chunk's row in the table.
const CHUNK_ROW: usize = 40;
/// The length of a checksum.
const CHECKSUM: usize = 32;

/// The most bytes of a section in one chunk.
const CHUNK: usize = 1 << 20;
/// No file has more sections.
const MOST_SECTIONS: usize = 64;
/// All sections together have at most this many bytes, and this many for each
/// byte of the file: so much memory a file may ask for.
const FREE: u64 = 16 << 20;
const EXPANSION: u64 = 64;
/// zstd's level: higher ones take several times as long for a tenth less.
const LEVEL: i32 = 1;

/// What a section holds. The numbers are those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SectionKind {
    About = 1,
    Paths = 2,
    References = 3,
    CatalogExtra = 4,
    Usages = 5,
    Inodes = 6,
    Names = 7,
    Kinds = 8,
    Surroundings = 9,
    StoreThen = 10,
    Directories = 11,
    Singles = 12,
    Physical = 13,
    Overlay = 14,
    KindExtents = 15,
}

impl SectionKind {
    /// What the section holds, as errors call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::About => "the section about the census",
            Self::Paths => "the section of paths",
            Self::References => "the section of references",
            Self::CatalogExtra => "the section of what else the database says",
            Self::Usages => "the section of sizes on disk",
            Self::Inodes => "the section of inodes",
            Self::Names => "the section of inodes’ names",
            Self::Kinds => "the section of kinds of files",
            Self::Surroundings => "the section of roots and settings",
            Self::StoreThen => "the section of how the store was",
            Self::Directories => "the section of directories",
            Self::Singles => "the section of inodes of one name",
            Self::Physical => "the section of physical sizes",
            Self::Overlay => "the section of layers",
            Self::KindExtents => "the section of physical sizes of kinds",
        }
    }
}

/// One chunk as the file has it.
struct Chunk {
    raw: u32,
    stored: Vec<u8>,
}

/// Compresses bytes; as they are where that does not make them shorter.
fn compress(raw: &[u8]) -> io::Result<Chunk> {
    let mut stored = zstd::bulk::compress(raw, LEVEL)?;
    if stored.len() >= raw.len() {
        stored = raw.to_vec();
    }
    Ok(Chunk { raw: raw.len() as u32, stored })
}

/// Writes sections as a file.
pub(super) fn write(
    sections: &[(u32, Vec<u8>)],
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let pieces: Vec<&[u8]> = sections.iter().flat_map(|(_, raw)| raw.chunks(CHUNK)).collect();
    let chunks = threads::map(pieces.len(), 1, |at| compress(pieces[at]));
    let mut chunks = chunks.into_iter().collect::<io::Result<Vec<_>>>()?;
    let tables = HEADER + SECTION * sections.len() + CHUNK_ROW * chunks.len() + CHECKSUM;
    let raw: u64 = pieces.iter().map(|raw| raw.len() as u64).sum();
    let mut length = tables as u64 + chunks.iter().map(|c| c.stored.len() as u64).sum::<u64>();
    // What is compressed too well for readers is left as it is.
    for (chunk, piece) in chunks.iter_mut().zip(&pieces) {
        if raw <= limit(length) {
            break;
        }
        length += (piece.len() - chunk.stored.len()) as u64;
        chunk.stored = piece.to_vec();
    }
    let mut head = Vec::with_capacity(tables);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
    head.extend_from_slice(&[0; 4]);
    for (kind, raw) in sections {
        head.extend_from_slice(&kind.to_le_bytes());
        head.extend_from_slice(&(raw.chunks(CHUNK).len() as u32).to_le_bytes());
        head.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    }
    for chunk in &chunks {
        head.extend_from_slice(&(chunk.stored.len() as u32).to_le_bytes());
        head.extend_from_slice(&chunk.raw.to_le_bytes());
        head.extend_from_slice(blake3::hash(&chunk.stored).as_bytes());
    }
    let checksum = blake3::hash(&head);
    out.write_all(&head)?;
    out.write_all(checksum.as_bytes())?;
    chunks.iter().try_for_each(|chunk| out.write_all(&chunk.stored))
}

/// How many bytes the sections of a file of that length may have.
fn limit(length: u64) -> u64 {
    FREE.saturating_add(length.saturating_mul(EXPANSION))
}

/// A file that is whole: every checksum fits.
pub(super) struct Container {
    sections: Vec<Section>,
    data: Vec<u8>,
}

struct Section {
    kind: u32,
    raw: usize,
    chunks: Vec<ChunkAt>,
}

/// Where a chunk is in the data.
#[derive(Clone, Copy)]
struct ChunkAt {
    start: usize,
    stored: usize,
    raw: usize,
}

fn damaged(what: &str) -> SnapshotError {
    SnapshotError::Damaged(what.to_owned())
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn long_number(bytes: &[u8], at: usize) -> u64 {
    u64::from(number(bytes, at)) | u64::from(number(bytes, at + 4)) << 32
}

/// Exactly that many bytes, as they come: nothing is set aside for what a
/// header merely promises.
fn read_exactly(input: &mut dyn Read, length: u64) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(damaged("it is cut off")) }
}

impl Container {
    /// Reads a file to its end and checks it.
    pub(super) fn read(input: &mut dyn Read) -> Result<Self, SnapshotError> {
        let header = match read_exactly(input, HEADER as u64) {
            Ok(header) if header.starts_with(&MAGIC) => header,
            Err(SnapshotError::Io(e)) => return Err(SnapshotError::Io(e)),
            _ => return Err(SnapshotError::NotASnapshot),
        };
        let version = number(&header, 8);
        if version > VERSION {
            return Err(SnapshotError::Newer { version });
        }
        let (sections, chunks) = (number(&header, 12) as usize, number(&header, 24) as usize);
        let length = long_number(&header, 16);
        if version == 0 || sections > MOST_SECTIONS || number(&header, 28) != 0 {
            return Err(damaged("its header makes no sense"));
        }
        let rows = SECTION * sections + CHUNK_ROW * chunks;
        let tables = (HEADER + rows + CHECKSUM) as u64;
        let data = length.checked_sub(tables).ok_or_else(|| damaged("it is cut off"))?;
        let tables = read_exactly(input, (rows + CHECKSUM) as u64)?;
        let (rows, checksum) = tables.split_at(rows);
        let mut hasher = blake3::Hasher::new();
        if hasher.update(&header).update(rows).finalize() != *checksum {
            return Err(damaged("the checksum of its tables does not fit"));
        }
        let (section_rows, chunk_rows) = rows.split_at(SECTION * sections);
        let data = read_exactly(input, data)?;
        if input.read(&mut [0])? != 0 {
            return Err(damaged("something follows it"));
        }
        let mut start = 0usize;
        let mut at = Vec::with_capacity(chunks);
        for row in chunk_rows.chunks(CHUNK_ROW) {
            let (stored, raw) = (number(row, 0) as usize, number(row, 4) as usize);
            let chunk = ChunkAt { start, stored, raw };
            start += stored;
            if raw == 0 || raw > CHUNK || stored > raw || start > data.len() {
                return Err(damaged("its table of chunks makes no sense"));
            }
            at.push(chunk);
        }
        if start != data.len() {
            return Err(damaged("its table of chunks makes no sense"));
        }
        let fits = |number: usize| {
            let (chunk, row) = (&at[number], &chunk_rows[number * CHUNK_ROW..][..CHUNK_ROW]);
            let stored = &data[chunk.start..chunk.start + chunk.stored];
            blake3::hash(stored) == row[8..]
        };
        if !threads::all(at.len(), 1, fits) {
            return Err(damaged("the checksum of a chunk does not fit"));
        }
        Self::divided(section_rows, &at, data, limit(length))
    }

    fn divided(
        rows: &[u8],
        mut chunks: &[ChunkAt],
        data: Vec<u8>,
        limit: u64,
    ) -> Result<Self, SnapshotError> {
        let odd = || damaged("its table of sections makes no sense");
        let mut sections: Vec<Section> = Vec::new();
        let mut total = 0u64;
        for row in rows.chunks(SECTION) {
            let (kind, count) = (number(row, 0), number(row, 4) as usize);
            let (own, rest) = chunks.split_at_checked(count).ok_or_else(odd)?;
            chunks = rest;
            let raw: usize = own.iter().map(|chunk| chunk.raw).sum();
            if raw as u64 != long_number(row, 8) || sections.iter().any(|s| s.kind == kind) {
                return Err(odd());
            }
            total += raw as u64;
            sections.push(Section { kind, raw, chunks: own.to_vec() });
        }
        if total > limit {
            return Err(SnapshotError::TooLarge);
        }
        match chunks {
            [] => Ok(Self { sections, data }),
            _ => Err(odd()),
        }
    }

    /// The kinds of its sections.
    pub(super) fn kinds(&self) -> impl Iterator<Item = u32> + '_ {
        self.sections.iter().map(|section| section.kind)
    }

    /// Whether the file has such a section.
    pub(super) fn has(&self, kind: SectionKind) -> bool {
        self.sections.iter().any(|section| section.kind == kind as u32)
    }

    /// The bytes of a section.
    pub(super) fn section(&self, kind: SectionKind) -> Result<Vec<u8>, SnapshotError> {
        let says = |what| SnapshotError::Damaged(format!("{} {what}", kind.name()));
        self.bytes(kind as u32).map_err(says)
    }

    /// The bytes of a section of any kind; what is wrong with it, in words.
    pub(super) fn bytes(&self, kind: u32) -> Result<Vec<u8>, &'static str> {
        let section = self.sections.iter().find(|s| s.kind == kind).ok_or("is missing")?;
        let mut raw = vec![0; section.raw];
        let mut places = Vec::with_capacity(section.chunks.len());
        let mut rest = raw.as_mut_slice();
        for &chunk in &section.chunks {
            let (place, after) = rest.split_at_mut(chunk.raw);
            places.push((chunk, place));
            rest = after;
        }
        let expand = |(chunk, place): (ChunkAt, &mut [u8])| {
            let stored = &self.data[chunk.start..chunk.start + chunk.stored];
            if chunk.stored == chunk.raw {
                place.copy_from_slice(stored);
                return true;
            }
            let expanded = zstd::bulk::decompress_to_buffer(stored, place);
            expanded.is_ok_and(|length| length == chunk.raw)
        };
        match places.into_par_iter().all(expand) {
            true => Ok(raw),
            false => Err("cannot be expanded"),
        }
    }
}
