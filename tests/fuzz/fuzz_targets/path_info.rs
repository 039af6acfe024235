//! What `nix path-info --json` prints: any bytes give a catalog or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::internals::load_path_info;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(catalog) = load_path_info(bytes, "/nix/store") {
        let count = catalog.len() as u32;
        for id in 0..count {
            assert!(catalog.references().row(id).iter().all(|&r| r < count));
        }
    }
});
