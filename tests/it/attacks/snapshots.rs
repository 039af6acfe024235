//! Snapshots: damaged, cut, and made on purpose with checksums that fit.

use super::databases::numbers;
use super::*;

const HEADER: usize = 32;
const SECTION: usize = 16;
const CHUNK: usize = 40;
const CHECKSUM: usize = 32;

/// A snapshot of the store, which is what is asked from here on.
fn taken(case: &mut Case) -> Vec<u8> {
    let file = case.env.join("source");
    let file = file.to_str().unwrap();
    let run = case.made.run(&case.env, ["snapshot", "--output", file]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    case.rooted = false;
    let asks = [&["report", "--all", "--columns", "all"][..], &["garbage"], &["kinds", "--all"]];
    let asks = asks.map(|ask| [&["--snapshot", file], ask].concat());
    case.only(&asks.each_ref().map(|ask| &ask[..]));
    fs::read(file).unwrap()
}

fn put(case: &Case, bytes: &[u8]) {
    fs::write(case.env.join("source"), bytes).unwrap();
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The sections of a snapshot, with their kinds.
fn sections(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let (sections, chunks) = (u32_at(file, 12), u32_at(file, 24));
    let mut row = HEADER + sections * SECTION;
    let mut at = row + chunks * CHUNK + CHECKSUM;
    let section = |i| {
        let section = HEADER + i * SECTION;
        let mut bytes = Vec::new();
        for _ in 0..u32_at(file, section + 4) {
            let (stored, raw) = (u32_at(file, row), u32_at(file, row + 4));
            let chunk = &file[at..at + stored];
            match stored == raw {
                true => bytes.extend(chunk),
                false => bytes.extend(zstd::bulk::decompress(chunk, raw).unwrap()),
            }
            (row, at) = (row + CHUNK, at + stored);
        }
        (u32_at(file, section) as u32, bytes)
    };
    (0..sections).map(section).collect()
}

/// A snapshot of these sections, of at most 1 MiB each, whose checksums fit.
fn with(sections: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let (mut rows, mut chunks, mut data) = (Vec::new(), Vec::new(), Vec::<u8>::new());
    for (kind, bytes) in sections {
        let count = u32::from(!bytes.is_empty());
        rows.extend([*kind, count].map(u32::to_le_bytes).concat());
        rows.extend((bytes.len() as u64).to_le_bytes());
        if count == 1 {
            chunks.extend([bytes.len() as u32; 2].map(u32::to_le_bytes).concat());
            chunks.extend(blake3::hash(bytes).as_bytes());
            data.extend(bytes);
        }
    }
    let length = HEADER + rows.len() + chunks.len() + CHECKSUM + data.len();
    let mut file = b"\x89CENSUS\n\x01\0\0\0".to_vec();
    file.extend((sections.len() as u32).to_le_bytes());
    file.extend((length as u64).to_le_bytes());
    file.extend([(chunks.len() / CHUNK) as u32, 0].map(u32::to_le_bytes).concat());
    file.extend([rows, chunks].concat());
    file.extend(*blake3::hash(&file).as_bytes());
    file.extend(data);
    file
}

attacks! {
    fn a_snapshot_that_is_whole(case) {
        let bytes = taken(&mut case);
        all_ended(&case.attack(), 0);
        // What the others are made with makes what is read.
        put(&case, &with(&sections(&bytes)));
        all_ended(&case.attack(), 0);
    }
    fn a_snapshot_that_is_cut(case) {
        let bytes = taken(&mut case);
        for length in [0, 1, 8, 31, 32, 100, bytes.len() / 2, bytes.len() - 1] {
            put(&case, &bytes[..length]);
            all_ended(&case.attack(), 3);
        }
    }
    fn a_snapshot_with_bits_flipped(case) {
        let bytes = taken(&mut case);
        for seed in 0..if sweep() { 300 } else { 8 } {
            let mut next = numbers(seed);
            let mut flipped = bytes.clone();
            flipped[next(bytes.len())] ^= 1 << next(8);
            put(&case, &flipped);
            all_ended(&case.attack(), 3);
        }
    }
    fn a_snapshot_of_noise(case) {
        let mut bytes = taken(&mut case);
        for (i, byte) in bytes.iter_mut().enumerate().skip(12) {
            *byte = (i * 31 + i / 251) as u8;
        }
        put(&case, &bytes);
        all_ended(&case.attack(), 3);
    }
    fn a_snapshot_and_a_gigabyte_of_nothing(case) {
        taken(&mut case);
        let file = fs::File::options().write(true).open(case.env.join("source")).unwrap();
        file.set_len(1 << 30).unwrap();
        all_ended(&case.attack(), 3);
    }
    fn a_snapshot_of_endless_tables(case) {
        let bytes = taken(&mut case);
        for (at, length) in [(12, 4), (24, 4), (16, 8), (36, 4), (40, 8)] {
            let mut endless = bytes.clone();
            endless[at..at + length].fill(0xff);
            put(&case, &endless);
            all_ended(&case.attack(), 3);
        }
    }
    fn a_snapshot_whose_checksums_fit(case) {
        let whole = sections(&taken(&mut case));
        for seed in 0..if sweep() { 2000 } else { 20 } {
            let mut next = numbers(seed);
            let mut changed = whole.clone();
            let count = changed.len();
            let (_, bytes) = &mut changed[next(count)];
            for _ in 0..1 + next(4) {
                let at = next(bytes.len());
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, next(256) as u8][next(6)];
            }
            put(&case, &with(&changed));
            case.attack();
        }
    }
    fn a_snapshot_without_one_section(case) {
        let whole = sections(&taken(&mut case));
        for gone in 0..whole.len() {
            let mut others = whole.clone();
            others.remove(gone);
            put(&case, &with(&others));
            case.attack();
        }
    }
    fn a_snapshot_with_sections_exchanged(case) {
        let whole = sections(&taken(&mut case));
        let intact = case.attack();
        let mut refused = 0;
        for one in 1..whole.len() {
            let mut exchanged = whole.clone();
            (exchanged[one].0, exchanged[one - 1].0) = (whole[one - 1].0, whole[one].0);
            put(&case, &with(&exchanged));
            // What an answer does not need is not read.
            for (ran, intact) in case.attack().iter().zip(&intact) {
                let Ran { command, run } = ran;
                let same = run.status == 0 && run.stdout == intact.run.stdout;
                assert!(same || run.status == 3, "{command:?} {one}\n{}", run.stdout);
                refused += usize::from(run.status == 3);
            }
        }
        assert!(refused >= 9, "{refused}");
    }
}
