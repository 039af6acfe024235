//! nix32 and hashes: there and back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::internals::{Algorithm, Hash, nix32};

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(nix32::decode(&nix32::encode(bytes)).as_deref(), Some(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(decoded) = nix32::decode(text) {
        assert_eq!(nix32::encode(&decoded), text);
    }
    if let Some(hash) = Hash::parse(text, Some(Algorithm::Sha256)) {
        assert_eq!(Hash::parse(&hash.sri(), None), Some(hash));
    }
});
