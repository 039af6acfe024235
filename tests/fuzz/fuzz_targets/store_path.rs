//! Store path names: what is taken for one can harm no terminal and no path.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::store::StorePath;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(path) = StorePath::parse(bytes) {
        let name = path.base_name();
        assert_eq!(name.as_bytes(), bytes);
        assert!(name.bytes().all(|b| b.is_ascii_graphic() && b != b'/'));
        assert_eq!(name, format!("{}-{}", path.hash_part(), path.name()));
        let (pname, version) = (path.pname(), path.version());
        assert!(path.name().starts_with(pname) && path.name().ends_with(version));
    }
});
