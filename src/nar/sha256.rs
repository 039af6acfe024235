//! SHA-256 of several messages at once, on one core.
//!
//! The rounds of one message wait for each other: a processor with instructions for
//! SHA-256 is idle half of the time. Two or three messages, their rounds woven into
//! each other, keep it busy. (Lanes of vectors, 16 messages at once, are slower than
//! that, as measured in benches/README.md.)

use sha2::block_api::compress256;

/// The bytes that are hashed at a time.
pub(crate) type Block = [u8; 64];

/// A hash of whole blocks, begun.
pub(crate) type State = [u32; 8];

/// The hash of nothing yet.
pub(crate) const BEGIN: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// How many messages are best hashed at once on this processor.
pub(crate) fn width() -> usize {
    if woven() { 3 } else { 1 }
}

/// The hash, once all blocks are taken in, [`ending`] among them.
pub(crate) fn finish(state: &State) -> [u8; 32] {
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// What follows a message of so many bytes: it fills the last block.
pub(crate) fn ending(bytes: u64) -> ([u8; 72], usize) {
    // A bit, zeros, and the size in bits as the last eight bytes of a block.
    let zeros = (119 - bytes % 64) % 64;
    let (mut ending, length) = ([0; 72], zeros as usize + 9);
    ending[0] = 0x80;
    ending[length - 8..length].copy_from_slice(&bytes.wrapping_mul(8).to_be_bytes());
    (ending, length)
}

/// Takes in blocks of several messages, as many of each as of that which has the
/// fewest; how many that were.
pub(crate) fn take_in(messages: &mut [(&mut State, &[Block])]) -> usize {
    let least = messages.iter().map(|(_, blocks)| blocks.len()).min().unwrap_or(0);
    let mut rest = messages;
    if woven() {
        while rest.len() >= 2 {
            let now = if rest.len() == 2 || rest.len() == 4 { 2 } else { 3 };
            let (first, others) = rest.split_at_mut(now);
            weave(first, least);
            rest = others;
        }
    }
    for (state, blocks) in rest {
        compress256(state, &blocks[..least]);
    }
    least
}

#[cfg(all(target_arch = "x86_64", not(nix_census_portable)))]
fn woven() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3")
}

#[cfg(not(all(target_arch = "x86_64", not(nix_census_portable))))]
fn woven() -> bool {
    false
}

#[cfg(not(all(target_arch = "x86_64", not(nix_census_portable))))]
fn weave(_: &mut [(&mut State, &[Block])], _: usize) {}

/// Takes in so many blocks of two or three messages. Only where [`woven`] says so.
#[cfg(all(target_arch = "x86_64", not(nix_census_portable)))]
#[allow(unsafe_code, reason = "the compiler cannot know what processor the program runs on")]
fn weave(messages: &mut [(&mut State, &[Block])], count: usize) {
    match messages {
        // SAFETY: as `woven` was asked, the processor has the instructions.
        [a, b] => unsafe {
            x86::compress([a.0, b.0], [&a.1[..count], &b.1[..count]]);
        },
        // SAFETY: as above.
        [a, b, c] => unsafe {
            let blocks = [&a.1[..count], &b.1[..count], &c.1[..count]];
            x86::compress([a.0, b.0, c.0], blocks);
        },
        _ => {}
    }
}

#[cfg(all(target_arch = "x86_64", not(nix_census_portable)))]
mod x86 {
    use super::{Block, State};
    use std::arch::x86_64::*;

    /// The constants of the rounds (FIPS 180-4, 4.2.2).
    #[rustfmt::skip]
    const K: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    #[inline]
    #[target_feature(enable = "sse2")]
    fn vector(a: u32, b: u32, c: u32, d: u32) -> __m128i {
        _mm_set_epi32(a as i32, b as i32, c as i32, d as i32)
    }

    /// The constants of the four rounds from round 4 × `i`.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn constants(i: usize) -> __m128i {
        vector(K[4 * i + 3], K[4 * i + 2], K[4 * i + 1], K[4 * i])
    }

    /// Four words of a block.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn words(block: &Block, i: usize) -> __m128i {
        // No copying of slices, which may be a call of a function for each.
        let (halves, _) = block.as_chunks();
        let half = |at: usize| i64::from_le_bytes(halves[at]);
        let turned = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        _mm_shuffle_epi8(_mm_set_epi64x(half(2 * i + 1), half(2 * i)), turned)
    }

    /// Takes in the blocks of `N` messages, of each as many. What is done for one is
    /// done for each of the others before the next step: none depends on the other.
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub(super) fn compress<const N: usize>(states: [&mut State; N], blocks: [&[Block]; N]) {
        // Two halves of the state: words A, B, E, F and C, D, G, H.
        // Loops, not closures: those may become calls, of which none takes these vectors in registers.
        let (mut abef, mut cdgh) = ([_mm_setzero_si128(); N], [_mm_setzero_si128(); N]);
        for n in 0..N {
            let [a, b, c, d, e, f, g, h] = *states[n];
            (abef[n], cdgh[n]) = (vector(a, b, e, f), vector(c, d, g, h));
        }
        let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
        let blocks = blocks.map(|blocks| &blocks[..count]);
        #[allow(clippy::needless_range_loop, reason = "each message has blocks of its own")]
        for at in 0..count {
            let before = (abef, cdgh);
            let (mut w0, mut w1, mut w2, mut w3) = (abef, abef, abef, abef);
            macro_rules! load {
                ($w:ident, $i:literal) => {
                    for n in 0..N {
                        $w[n] = words(&blocks[n][at], $i);
                    }
                };
            }
            load!(w0, 0);
            load!(w1, 1);
            load!(w2, 2);
            load!(w3, 3);
            // Four rounds, with the words that they take.
            macro_rules! rounds {
                ($i:literal, $w:ident) => {
                    for n in 0..N {
                        let w = _mm_add_epi32($w[n], constants($i));
                        cdgh[n] = _mm_sha256rnds2_epu32(cdgh[n], abef[n], w);
                        abef[n] =
                            _mm_sha256rnds2_epu32(abef[n], cdgh[n], _mm_shuffle_epi32::<0x0e>(w));
                    }
                };
            }
            // The words that come four rounds after the fourth of these, in place of the first.
            macro_rules! next {
                ($a:ident, $b:ident, $c:ident, $d:ident) => {
                    for n in 0..N {
                        let w = _mm_sha256msg1_epu32($a[n], $b[n]);
                        let w = _mm_add_epi32(w, _mm_alignr_epi8::<4>($d[n], $c[n]));
                        $a[n] = _mm_sha256msg2_epu32(w, $d[n]);
                    }
                };
            }
            macro_rules! sixteen {
                ($i:literal, $j:literal, $k:literal, $l:literal) => {
                    next!(w0, w1, w2, w3);
                    rounds!($i, w0);
                    next!(w1, w2, w3, w0);
                    rounds!($j, w1);
                    next!(w2, w3, w0, w1);
                    rounds!($k, w2);
                    next!(w3, w0, w1, w2);
                    rounds!($l, w3);
                };
            }
            rounds!(0, w0);
            rounds!(1, w1);
            rounds!(2, w2);
            rounds!(3, w3);
            sixteen!(4, 5, 6, 7);
            sixteen!(8, 9, 10, 11);
            sixteen!(12, 13, 14, 15);
            for n in 0..N {
                abef[n] = _mm_add_epi32(abef[n], before.0[n]);
                cdgh[n] = _mm_add_epi32(cdgh[n], before.1[n]);
            }
        }
        for (n, state) in states.into_iter().enumerate() {
            let (x, y) = (abef[n], cdgh[n]);
            let words = [
                _mm_extract_epi32::<3>(x),
                _mm_extract_epi32::<2>(x),
                _mm_extract_epi32::<3>(y),
                _mm_extract_epi32::<2>(y),
                _mm_extract_epi32::<1>(x),
                _mm_extract_epi32::<0>(x),
                _mm_extract_epi32::<1>(y),
                _mm_extract_epi32::<0>(y),
            ];
            *state = words.map(|word| word as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    /// The blocks of a message, its ending among them.
    fn blocks(message: &[u8]) -> Vec<Block> {
        let (ending, length) = ending(message.len() as u64);
        let padded = [message, &ending[..length]].concat();
        assert!(padded.len().is_multiple_of(64) && padded.len() - message.len() <= 72);
        padded.as_chunks().0.to_vec()
    }

    /// All hashed at once, whatever their sizes.
    fn hashes(messages: &[Vec<u8>]) -> Vec<[u8; 32]> {
        let blocks: Vec<_> = messages.iter().map(|message| blocks(message)).collect();
        let (mut states, mut at) = (vec![BEGIN; messages.len()], vec![0; messages.len()]);
        loop {
            let mut now: Vec<_> = (states.iter_mut().zip(&blocks).zip(&at))
                .map(|((state, blocks), &at)| (state, &blocks[at..]))
                .filter(|(_, blocks)| !blocks.is_empty())
                .collect();
            let taken = take_in(&mut now);
            if taken == 0 {
                return states.iter().map(finish).collect();
            }
            for (at, blocks) in at.iter_mut().zip(&blocks) {
                *at = blocks.len().min(*at + taken);
            }
        }
    }

    #[test]
    fn around_each_end_of_a_block() {
        for length in 0..200 {
            let messages: Vec<Vec<u8>> =
                [0, 1, 63, 64].map(|more| vec![length as u8; length + more]).into();
            let expected: Vec<[u8; 32]> =
                messages.iter().map(|message| Sha256::digest(message).into()).collect();
            assert_eq!(hashes(&messages), expected, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_number_of_any_length(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..9),
        ) {
            let expected: Vec<[u8; 32]> =
                messages.iter().map(|message| Sha256::digest(message).into()).collect();
            prop_assert_eq!(hashes(&messages), expected);
        }
    }
}
