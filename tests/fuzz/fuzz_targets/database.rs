//! A database of any bytes, through a file: reading it gives a catalog or an error,
//! changes nothing and ends. The corpus has databases of small pages.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::catalog;
use nix_census::fs::{self, Tree};
use nix_census::store::StoreLocation;
use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;
use std::time::SystemTime;

fn location() -> &'static (tempfile::TempDir, StoreLocation) {
    static LOCATION: OnceLock<(tempfile::TempDir, StoreLocation)> = OnceLock::new();
    LOCATION.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("nix/var/nix/db");
        std::fs::create_dir_all(&db).unwrap();
        std::fs::write(db.join("schema"), "10").unwrap();
        std::fs::write(db.join("db.sqlite"), "").unwrap();
        let tree = Tree::live(dir.path()).unwrap();
        let location = fs::locate(&tree, "/nix/store", Path::new("/nix/var/nix")).unwrap();
        (dir, location)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (_dir, location) = location();
    let mut bytes = bytes.to_vec();
    // What is no database at all is known by its first bytes.
    let magic = b"SQLite format 3\0";
    let head = magic.len().min(bytes.len());
    bytes[..head].copy_from_slice(&magic[..head]);
    std::fs::write(&location.database, &bytes).unwrap();
    // Of what was written just now more writes could follow, and it is waited for them.
    let file = File::options().write(true).open(&location.database).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    if let Ok(catalog) = catalog::load(location) {
        for id in catalog.ids() {
            assert_eq!(catalog.find(catalog.base_name(id)), Some(id));
            assert!(catalog.references().row(id.node()).iter().all(|&r| (r as usize) < catalog.len()));
        }
    }
    assert!(std::fs::read(&location.database).unwrap() == bytes);
    let beside = location.database.parent().unwrap();
    assert_eq!(std::fs::read_dir(beside).unwrap().count(), 2);
});
