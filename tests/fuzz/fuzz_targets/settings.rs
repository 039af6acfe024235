//! Settings files: any bytes give settings and warnings.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::fs::Tree;
use nix_census::roots::{SettingsFiles, read_settings};
use nix_census::warning::Warnings;

fuzz_target!(|bytes: &[u8]| {
    // Files that include each other: the input is cut in four.
    let part = bytes.len().div_ceil(4).max(1);
    let files = ["/etc/nix/nix.conf", "/etc/nix/a", "/b", "/c"];
    let contents = bytes.chunks(part).chain(std::iter::repeat(&b""[..]));
    let tree = Tree::memory(files.into_iter().zip(contents));
    let settings = SettingsFiles {
        system: vec![files[0].into()],
        user: vec![files[1].into()],
        environment: Some(bytes.to_vec()),
    };
    let mut warnings = Warnings::new();
    let read = read_settings(&tree, &settings, &mut warnings);
    read.public_halves(&tree, &mut warnings);
});
