//! What the fields of a narinfo hold as text, and store URIs: any text is read or not.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::analysis::audit::PublicKey;
use nix_census::internals::{content_address_hash_part, store_uri_root};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(root)) = store_uri_root(OsStr::from_bytes(bytes)) {
        assert!(root.is_absolute(), "{}", root.display());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = PublicKey::parse(text) {
        assert!(text.starts_with(key.name()));
    }
    if let Some(hash_part) = content_address_hash_part(text, "hello-1.0") {
        assert_eq!(hash_part.len(), 32);
    }
});
