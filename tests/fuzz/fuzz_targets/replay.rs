//! The logs beside a database, replayed in memory: any bytes end, within what the
//! image and the log hold.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::internals::replay;

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (length, ahead, bytes) = input;
    let image = vec![7; usize::from(length)];
    let most = image.len() + bytes.len();
    let mut log = bytes.to_vec();
    // Past the first look at either.
    let magic: &[u8] = match ahead {
        true => &[0x37, 0x7f, 6, 0x82],
        false => &[0xd9, 0xd5, 5, 0xf9, 0x20, 0xa1, 0x63, 0xd7],
    };
    let head = magic.len().min(log.len());
    log[..head].copy_from_slice(&magic[..head]);
    if let Ok(image) = replay(image, &log, ahead) {
        assert!(image.len() <= most, "{} of {most}", image.len());
    }
});
