//! nix32: Nix's base 32, which reads the bytes as one number, least
//! significant byte first, and writes its digits most significant first
//! (`printHash32` in Nix's `hash.cc`).

const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// How many characters a SHA-256 takes.
pub const SHA256_LENGTH: usize = 52;

/// Writes a SHA-256.
///
/// ```
/// use nix_census::nar::nix32;
/// let text = "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p";
/// assert_eq!(nix32::encode(&nix32::decode(text.as_bytes()).unwrap()), text);
/// ```
pub fn encode(hash: &[u8; 32]) -> String {
    (0..SHA256_LENGTH)
        .rev()
        .map(|n| {
            let (i, j) = (n * 5 / 8, n * 5 % 8);
            let high = hash.get(i + 1).map_or(0, |&byte| u16::from(byte) << 8);
            let digit = (high | u16::from(hash[i])) >> j & 31;
            char::from(DIGITS[usize::from(digit)])
        })
        .collect()
}

/// Reads a SHA-256; `None` if the text is none.
pub fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != SHA256_LENGTH {
        return None;
    }
    let mut hash = [0u8; 32];
    for (n, &character) in text.iter().rev().enumerate() {
        let digit = DIGITS.iter().position(|&d| d == character)? as u16;
        let (i, j) = (n * 5 / 8, n * 5 % 8);
        let [low, high] = (digit << j).to_le_bytes();
        hash[i] |= low;
        match hash.get_mut(i + 1) {
            Some(next) => *next |= high,
            // 52 digits are 260 bits: the first 4 must be 0.
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_hash() {
        let ok = "1".repeat(52);
        assert!(decode(ok.as_bytes()).is_some());
        // Beyond 256 bits, a digit that is none, too short.
        assert_eq!(decode(format!("2{}", &ok[1..]).as_bytes()), None);
        assert_eq!(decode(format!("{}e", &ok[1..]).as_bytes()), None);
        assert_eq!(decode(&ok.as_bytes()[1..]), None);
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(hash: [u8; 32]) {
            prop_assert_eq!(decode(encode(&hash).as_bytes()), Some(hash));
        }
    }
}
