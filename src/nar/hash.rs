//! Hashes in each way Nix writes them: `sha256:` with base16, nix32 or base64
//! after it, or SRI, `sha256-` with base64 (`Hash::parseAny` in Nix's `hash.cc`).

use super::nix32;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use sha2::Digest;
use std::fmt;

/// A hash function that Nix knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, 16 bytes.
    Md5,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
    /// BLAKE3, 32 bytes.
    Blake3,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512, Self::Blake3];

    /// Its name, as Nix writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// The size of its hashes, in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A hash and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hash {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Hash {
    /// A hash of these bytes; `None` if there are not as many as the
    /// algorithm gives.
    pub fn new(algorithm: Algorithm, bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() == algorithm.size()).then_some(Self { algorithm, bytes })
    }

    /// Reads a hash that names its algorithm, or one that does not and is of
    /// `default`.
    pub fn parse(text: &str, default: Option<Algorithm>) -> Option<Self> {
        if let Some((name, rest)) = text.split_once(':') {
            return Self::decode(Algorithm::from_name(name)?, rest);
        }
        if let Some((name, rest)) = text.split_once('-')
            && let Some(algorithm) = Algorithm::from_name(name)
        {
            return Self::new(algorithm, BASE64.decode(rest.as_bytes()).ok()?);
        }
        Self::decode(default?, text)
    }

    /// Base16, nix32 or base64, distinguished by length.
    fn decode(algorithm: Algorithm, text: &str) -> Option<Self> {
        let size = algorithm.size();
        let bytes = if text.len() == size * 2 {
            HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?
        } else if text.len() == nix32::encoded_length(size) {
            nix32::decode(text)?
        } else {
            BASE64.decode(text.as_bytes()).ok()?
        };
        Self::new(algorithm, bytes)
    }

    /// What made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, if it is a SHA-256.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        if self.algorithm == Algorithm::Sha256 {
            self.bytes.as_slice().try_into().ok()
        } else {
            None
        }
    }

    /// `<algorithm>:` and base16, as the database has it.
    pub fn base16(&self) -> String {
        format!("{}:{}", self.algorithm.name(), data_encoding::HEXLOWER.encode(&self.bytes))
    }

    /// `<algorithm>:` and nix32.
    pub fn nix32(&self) -> String {
        format!("{}:{}", self.algorithm.name(), nix32::encode(&self.bytes))
    }

    /// `<algorithm>-` and base64: SRI.
    pub fn sri(&self) -> String {
        format!("{}-{}", self.algorithm.name(), BASE64.encode(&self.bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.nix32())
    }
}

/// A hash being made.
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    /// MD5.
    Md5(md5::Md5),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(sha2::Sha512),
    /// BLAKE3.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// A new one.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::default()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::default()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::default()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::default()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    /// Takes in more bytes.
    #[inline]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(h) => h.update(bytes),
            Self::Sha1(h) => h.update(bytes),
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
            Self::Blake3(h) => {
                h.update(bytes);
            }
        }
    }

    /// The hash of all bytes taken in.
    pub(crate) fn finish(self) -> Hash {
        let (algorithm, bytes) = match self {
            Self::Md5(h) => (Algorithm::Md5, h.finalize().to_vec()),
            Self::Sha1(h) => (Algorithm::Sha1, h.finalize().to_vec()),
            Self::Sha256(h) => (Algorithm::Sha256, h.finalize().to_vec()),
            Self::Sha512(h) => (Algorithm::Sha512, h.finalize().to_vec()),
            Self::Blake3(h) => (Algorithm::Blake3, h.finalize().as_bytes().to_vec()),
        };
        Hash { algorithm, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_hash_in_three_forms() {
        let sri = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let hash = Hash::parse(sri, None).unwrap();
        assert_eq!(hash.nix32(), "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
        assert_eq!(Hash::parse(&hash.base16(), None), Some(hash));
    }

    fn of_nothing(algorithm: Algorithm) -> String {
        Hasher::new(algorithm).finish().base16()
    }

    #[test]
    fn hashes_of_nothing() {
        use Algorithm as A;
        assert_eq!(of_nothing(A::Md5), "md5:d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(of_nothing(A::Sha1), "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert!(of_nothing(A::Sha256).starts_with("sha256:e3b0c44298fc1c149afbf4c8996fb924"));
        assert!(of_nothing(A::Sha512).starts_with("sha512:cf83e1357eefb8bdf1542850d66d8007"));
        assert!(of_nothing(A::Blake3).starts_with("blake3:af1349b9f5f9a1a6a0404dea36dcc949"));
    }

    #[test]
    fn refuses_what_is_no_hash() {
        for odd in ["", "sha256", "sha256:", "sha256-", "sha3:00", "sha1:zz", "sha256:e3b0", ":"] {
            assert_eq!(Hash::parse(odd, Some(Algorithm::Sha256)), None, "{odd}");
        }
        assert_eq!(Hash::parse(&"0".repeat(64), None), None);
        assert!(Hash::parse(&"0".repeat(64), Some(Algorithm::Sha256)).is_some());
    }

    proptest! {
        #[test]
        fn each_way_there_and_back(at in 0usize..5, bytes in prop::collection::vec(any::<u8>(), 64)) {
            let algorithm = Algorithm::ALL[at];
            let hash = Hash::new(algorithm, &bytes[..algorithm.size()]).unwrap();
            for text in [hash.base16(), hash.nix32(), hash.sri()] {
                prop_assert_eq!(Hash::parse(&text, None), Some(hash.clone()));
                let bare = &text[algorithm.name().len() + 1..];
                prop_assert_eq!(Hash::parse(bare, Some(algorithm)), Some(hash.clone()));
            }
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = Hash::parse(&text, Some(Algorithm::Sha1));
        }
    }
}
