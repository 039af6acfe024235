//! Registrations: any bytes give a catalog or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::internals::load_registration;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(catalog) = load_registration(bytes, "/nix/store") {
        let count = catalog.len() as u32;
        for id in catalog.ids() {
            assert!(catalog.references().row(id.node()).iter().all(|&r| r < count));
            assert_eq!(catalog.find(catalog.base_name(id)), Some(id));
        }
    }
});
