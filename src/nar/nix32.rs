//! Nix's way of writing bytes in 32 characters (`printHash32` and
//! `parseHash32` in Nix's `hash.cc`): the last bits come first, and the
//! letters e, o, t, u are left out.

/// The alphabet.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// The value of each byte; 255 where it is none of the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut i = 0;
    while i < 32 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// The value of a byte, 0 to 31; 255 where it is none of the alphabet.
#[inline]
pub const fn value(byte: u8) -> u8 {
    VALUES[byte as usize]
}

/// Whether a byte is one of the alphabet.
#[inline]
pub const fn is_digit(byte: u8) -> bool {
    VALUES[byte as usize] != 255
}

/// How many characters so many bytes take.
pub const fn encoded_length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Writes bytes.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |n: usize| {
        let (byte, bit) = (n * 5 / 8, n * 5 % 8);
        let low = u16::from(bytes[byte]);
        let high = bytes.get(byte + 1).map_or(0, |&b| u16::from(b));
        let value = ((high << 8 | low) >> bit) & 31;
        char::from(ALPHABET[usize::from(value)])
    };
    (0..encoded_length(bytes.len())).rev().map(digit).collect()
}

/// Reads what [`encode`] wrote; `None` if a character is foreign, the length
/// is none that bytes give, or bits beyond the last byte are set.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let length = text.len() * 5 / 8;
    if encoded_length(length) != text.len() {
        return None;
    }
    let mut bytes = vec![0u8; length];
    for (n, &c) in text.as_bytes().iter().rev().enumerate() {
        let value = VALUES[usize::from(c)];
        if value == 255 {
            return None;
        }
        let (byte, bit) = (n * 5 / 8, n * 5 % 8);
        let wide = u16::from(value) << bit;
        bytes[byte] |= wide as u8;
        match bytes.get_mut(byte + 1) {
            Some(next) => *next |= (wide >> 8) as u8,
            None if wide >> 8 != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn low_bits_come_last() {
        use crate::nar::nix32;
        assert_eq!(nix32::encode(&[0x00]), "00");
        assert_eq!(nix32::encode(&[0x1f]), "0z");
        assert_eq!(nix32::decode("0z"), Some(vec![0x1f]));
    }

    #[test]
    fn as_nix_writes() {
        // nix-hash --type sha256 --to-base32 e3b0…b855, the SHA-256 of nothing.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let bytes = data_encoding::HEXLOWER.decode(empty.as_bytes()).unwrap();
        let text = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        assert_eq!(encode(&bytes), text);
        assert_eq!(decode(text), Some(bytes));
        assert_eq!(decode(""), Some(Vec::new()));
        for odd in ["e0", "0Z", "z0", "0", "000"] {
            assert_eq!(decode(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), encoded_length(bytes.len()));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn back_and_there(text in "[0-9a-z]{0,60}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
