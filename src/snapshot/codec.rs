//! Numbers, texts and records as bytes, and back from bytes that nobody trusts.
//!
//! An unsigned number is a varint: seven bits a byte, the lowest first, the
//! highest bit set in all bytes but the last. A signed one is folded first, so
//! that small ones stay small: 0, -1, 1, -2, … are 0, 1, 2, 3, …. What has a
//! length is preceded by it. A list is its length, then its elements; an option
//! is a list of at most one; a record is its fields in order.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};
use std::path::PathBuf;

/// Bytes are not what they should be: what is wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd(pub(super) String);

impl From<&str> for Odd {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// Writes fields one after another.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    pub(super) bytes: Vec<u8>,
}

impl Encoder {
    /// An unsigned number.
    #[inline]
    pub(super) fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    /// A signed number.
    #[inline]
    pub(super) fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)) as u64);
    }

    /// Any field.
    pub(super) fn field<F: Field>(&mut self, field: &F) {
        field.put(self);
    }

    /// Fields of one kind after their number.
    pub(super) fn list<'f, F: Field + 'f>(&mut self, fields: impl ExactSizeIterator<Item = &'f F>) {
        self.number(fields.len() as u64);
        fields.for_each(|field| field.put(self));
    }

    /// Bytes after their length.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Reads fields one after another. No length is believed that the bytes left
/// cannot hold.
#[derive(Clone, Debug)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// An unsigned number.
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Odd> {
        if let [first @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Odd> {
        let mut n = 0;
        for (at, &byte) in self.rest.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && byte > 1 {
                return Err("a number has more than 64 bits".into());
            }
            n |= bits << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(n);
            }
        }
        Err("it ends in the middle of a number".into())
    }

    /// A signed number.
    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, Odd> {
        let n = self.number()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// An unsigned number of at most 32 bits.
    #[inline]
    pub(super) fn small(&mut self) -> Result<u32, Odd> {
        u32::try_from(self.number()?).map_err(|_| "a number has more than 32 bits".into())
    }

    /// How many elements follow, of at least `least` bytes each.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, Odd> {
        let count = usize::try_from(self.number()?).ok();
        count
            .filter(|count| count.checked_mul(least).is_some_and(|n| n <= self.rest.len()))
            .ok_or_else(|| "it holds less than it says".into())
    }

    /// Whether so many elements may follow at all.
    pub(super) fn holds(&self, count: usize) -> Result<(), Odd> {
        if count <= self.rest.len() { Ok(()) } else { Err("it holds less than it says".into()) }
    }

    /// That many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Odd> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes after their length.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Odd> {
        let length = self.count(1)?;
        self.take(length)
    }

    /// Text after its length.
    pub(super) fn text(&mut self) -> Result<&'a str, Odd> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8".into())
    }

    /// Any field.
    pub(super) fn field<F: Field>(&mut self) -> Result<F, Odd> {
        F::take(self)
    }

    /// Nothing must be left.
    pub(super) fn end(self) -> Result<(), Odd> {
        match self.rest {
            [] => Ok(()),
            _ => Err("it holds more than it should".into()),
        }
    }
}

/// What can be written and read.
pub(super) trait Field: Sized {
    /// The fewest bytes that one takes.
    const LEAST: usize = 1;

    fn put(&self, out: &mut Encoder);
    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd>;
}

impl Field for u64 {
    fn put(&self, out: &mut Encoder) {
        out.number(*self);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        from.number()
    }
}

impl Field for u32 {
    fn put(&self, out: &mut Encoder) {
        out.number((*self).into());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        from.small()
    }
}

impl Field for usize {
    fn put(&self, out: &mut Encoder) {
        out.number(*self as u64);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok(from.small()? as Self)
    }
}

impl Field for i64 {
    fn put(&self, out: &mut Encoder) {
        out.signed(*self);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        from.signed()
    }
}

impl Field for bool {
    fn put(&self, out: &mut Encoder) {
        out.field(&u8::from(*self));
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a truth value is neither 0 nor 1".into()),
        }
    }
}

impl Field for String {
    fn put(&self, out: &mut Encoder) {
        out.bytes(self.as_bytes());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        from.text().map(str::to_owned)
    }
}

impl Field for Box<str> {
    fn put(&self, out: &mut Encoder) {
        out.bytes(self.as_bytes());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        from.text().map(Into::into)
    }
}

impl Field for u8 {
    fn put(&self, out: &mut Encoder) {
        out.bytes.push(*self);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok(from.take(1)?[0])
    }
}

impl Field for PathBuf {
    fn put(&self, out: &mut Encoder) {
        out.bytes(std::os::unix::ffi::OsStrExt::as_bytes(self.as_os_str()));
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let bytes = from.bytes()?;
        Ok(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into())
    }
}

impl<F: Field> Field for Vec<F> {
    fn put(&self, out: &mut Encoder) {
        out.list(self.iter());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let count = from.count(F::LEAST)?;
        (0..count).map(|_| F::take(from)).collect()
    }
}

impl<F: Field> Field for Option<F> {
    fn put(&self, out: &mut Encoder) {
        out.field(&self.is_some());
        self.iter().for_each(|field| field.put(out));
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        if bool::take(from)? { F::take(from).map(Some) } else { Ok(None) }
    }
}

impl<F: Field + Ord + Hash, S: BuildHasher + Default> Field for HashSet<F, S> {
    fn put(&self, out: &mut Encoder) {
        let sorted: BTreeSet<&F> = self.iter().collect();
        out.list(sorted.into_iter());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let count = from.count(F::LEAST)?;
        (0..count).map(|_| F::take(from)).collect()
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    const LEAST: usize = A::LEAST + B::LEAST;

    fn put(&self, out: &mut Encoder) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

/// Makes fields of structs: their fields in the order given.
macro_rules! record {
    ($($name:ty { $($field:ident),* $(,)? })*) => {$(
        impl crate::snapshot::codec::Field for $name {
            const LEAST: usize = [$(stringify!($field)),*].len();

            fn put(&self, out: &mut crate::snapshot::codec::Encoder) {
                $(out.field(&self.$field);)*
            }

            fn take(
                from: &mut crate::snapshot::codec::Decoder<'_>,
            ) -> Result<Self, crate::snapshot::codec::Odd> {
                Ok(Self { $($field: from.field()?),* })
            }
        }
    )*};
}

/// Makes fields of enums without data: the number of each.
macro_rules! choice {
    ($($name:ty { $($number:literal => $value:ident),* $(,)? })*) => {$(
        impl crate::snapshot::codec::Field for $name {
            fn put(&self, out: &mut crate::snapshot::codec::Encoder) {
                out.number(match self { $(<$name>::$value => $number,)* });
            }

            fn take(
                from: &mut crate::snapshot::codec::Decoder<'_>,
            ) -> Result<Self, crate::snapshot::codec::Odd> {
                match from.number()? {
                    $($number => Ok(<$name>::$value),)*
                    _ => Err(concat!(stringify!($name), " has no such number").into()),
                }
            }
        }
    )*};
}

pub(super) use {choice, record};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_nothing_longer_is_read() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        let mut out = Encoder::default();
        numbers.iter().for_each(|&n| out.number(n));
        signed.iter().for_each(|&n| out.signed(n));
        let mut from = Decoder::new(&out.bytes);
        assert_eq!(numbers.map(|_| from.number().unwrap()), numbers);
        assert_eq!(signed.map(|_| from.signed().unwrap()), signed);
        assert_eq!(from.clone().end(), Ok(()));
        assert!(from.number().is_err());
        let long = [[0xff; 9].as_slice(), &[2]].concat();
        assert!(Decoder::new(&long).number().is_err());
        assert!(Decoder::new(&[0x80; 20]).number().is_err());
        assert!(Decoder::new(&[0x80, 0x80, 0x80, 0x80, 0x20]).small().is_err());
    }

    #[test]
    fn lengths_are_not_believed() {
        let mut out = Encoder::default();
        out.number(1 << 40);
        assert!(Decoder::new(&out.bytes).bytes().is_err());
        assert!(Decoder::new(&out.bytes).field::<Vec<(u32, u64)>>().is_err());
        let list = vec![(1u32, "ä".to_owned()), (2, String::new())];
        let mut out = Encoder::default();
        out.field(&list);
        out.field(&Some(false));
        let mut from = Decoder::new(&out.bytes);
        assert_eq!(from.field(), Ok(list));
        assert_eq!(from.field(), Ok(Some(false)));
        assert_eq!(from.end(), Ok(()));
    }
}
