//! Snapshots: any bytes, and a real one with changes under the right checksums, give a
//! census that can be asked, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::analysis::overview::Overview;
use nix_census::census::Census;
use nix_census::internals::{sealed_snapshot, unsealed_snapshot};
use nix_census::snapshot::{self, Snapshot};
use std::sync::OnceLock;
use std::time::Duration;

/// One that a version wrote.
const KEPT: &[u8] = include_bytes!("../../../testdata/snapshot-1.census");

fuzz_target!(|bytes: &[u8]| {
    let Some((&way, rest)) = bytes.split_first() else { return };
    let file = match way % 2 {
        0 => rest.to_vec(),
        _ => changed(rest),
    };
    if let Ok(snapshot) = snapshot::read(&mut &file[..], true) {
        ask(snapshot);
    }
});

/// The kept one with a byte changed, put in or taken out at some places: five bytes
/// each.
fn changed(changes: &[u8]) -> Vec<u8> {
    static SECTIONS: OnceLock<Vec<(u32, Vec<u8>)>> = OnceLock::new();
    let mut sections = SECTIONS.get_or_init(|| unsealed_snapshot(KEPT).unwrap()).clone();
    for change in changes.chunks_exact(5) {
        let [how, section, high, low, value] = [0, 1, 2, 3, 4].map(|i| change[i]);
        let count = sections.len();
        let section = &mut sections[usize::from(section) % count].1;
        let at = usize::from(u16::from_be_bytes([high, low]));
        if at >= section.len() {
            continue;
        }
        match how % 4 {
            0 => section.insert(at, value),
            1 => {
                section.remove(at);
            }
            _ => section[at] = value,
        }
    }
    sealed_snapshot(&sections).unwrap()
}

fn ask(snapshot: Snapshot) {
    let targets = snapshot.catalog.len();
    let Ok(census) = Census::new(snapshot.catalog, &snapshot.examine, snapshot.disk) else {
        panic!("its parts are of the same paths");
    };
    assert_eq!(census.len(), targets);
    if let Some(shared) = census.shared() {
        shared.union(census.indexes());
    }
    if let Some(whole) = census.whole() {
        Overview::new(whole, Duration::ZERO);
    }
}
