//! Where the layers of an overlay are, as it was mounted.

use crate::fs::live::linux::{octal_bytes, unescaped};

/// The options by which an overlay is mounted, as `mountinfo` has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Where the upper layer is, if there is one.
    pub(super) upper: Option<Vec<u8>>,
    /// Where the lower layers are, the topmost first; those of data alone last.
    pub(super) lower: Vec<Vec<u8>>,
    /// Whether a file may have its contents in another layer than itself.
    pub(super) metacopy: bool,
    /// Whether a directory may show what has another name in a layer below.
    pub(super) redirects: bool,
}

impl Options {
    /// An error says why layers cannot be found by them.
    pub(super) fn parse(options: &[u8]) -> Result<Self, String> {
        let parsed = Self::read(options);
        match parsed.is_absolute() {
            true => Ok(parsed),
            false => Err("it does not say where they are from the root on".to_owned()),
        }
    }

    /// Whether there are layers, and it is said where each is.
    pub(super) fn is_absolute(&self) -> bool {
        let mut all = self.lower.iter().chain(&self.upper);
        !self.lower.is_empty() && all.all(|path| path.starts_with(b"/"))
    }

    pub(super) fn read(options: &[u8]) -> Self {
        Self::read_with(options, |parameter| {
            std::fs::read(format!("/sys/module/overlay/parameters/{parameter}")).ok()
        })
    }

    /// The same by what reads the kernel module's parameters, which say what holds where the
    /// options do not.
    fn read_with(options: &[u8], parameter: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let mut parsed = Self::default();
        // What cannot be read may be on.
        let may_be_on = |name: &str| !parameter(name).is_some_and(|value| value.starts_with(b"N"));
        let (mut says_metacopy, mut redirects) = (false, None);
        for option in options.split(|&byte| byte == b',') {
            let at = option.iter().position(|&byte| byte == b'=').unwrap_or(option.len());
            let (name, value) = (&option[..at], option.get(at + 1..).unwrap_or_default());
            match name {
                b"upperdir" => parsed.upper = Some(unescaped(value)),
                b"lowerdir" => parsed.metacopy |= split(value, &mut parsed.lower),
                b"lowerdir+" => parsed.lower.push(unescaped(value)),
                b"datadir+" => {
                    parsed.lower.push(unescaped(value));
                    parsed.metacopy = true;
                }
                b"metacopy" => {
                    says_metacopy = true;
                    parsed.metacopy |= value != b"off";
                }
                b"redirect_dir" => {
                    redirects = match value {
                        b"nofollow" => Some(false),
                        // They are followed nonetheless where the module says always.
                        b"off" => None,
                        _ => Some(true),
                    };
                }
                _ => {}
            }
        }
        parsed.metacopy |= !says_metacopy && may_be_on("metacopy");
        parsed.redirects = redirects
            .unwrap_or_else(|| may_be_on("redirect_dir") || may_be_on("redirect_always_follow"));
        parsed
    }
}

/// The paths of `lowerdir`: colons are between them, and a backslash, itself written in
/// octal, makes a part of a path of what follows. Whether some are of data alone, which
/// follow two colons.
fn split(value: &[u8], paths: &mut Vec<Vec<u8>>) -> bool {
    let (mut data, mut literal, mut path) = (false, false, Vec::new());
    for (byte, octal) in octal_bytes(value) {
        match byte {
            _ if std::mem::take(&mut literal) => path.push(byte),
            b'\\' => literal = true,
            b':' if !octal => match path.is_empty() {
                true => data = true,
                false => paths.push(std::mem::take(&mut path)),
            },
            _ => path.push(byte),
        }
    }
    if !path.is_empty() {
        paths.push(path);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(options: &str) -> Vec<String> {
        let parsed = Options::parse(options.as_bytes()).unwrap();
        parsed.lower.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    /// What neither the options nor the module's parameters rule out may be.
    #[test]
    fn redirects_and_metacopy_are_on_unless_something_says_no() {
        let read = |options: &str, on: &[&str], unreadable: &[&str]| {
            let parsed = Options::read_with(options.as_bytes(), |name| {
                let value = if on.contains(&name) { "Y\n" } else { "N\n" };
                (!unreadable.contains(&name)).then(|| value.into())
            });
            (parsed.redirects, parsed.metacopy)
        };
        let always = "redirect_always_follow";
        for unsaid in ["lowerdir=/a", "lowerdir=/a,redirect_dir=off"] {
            assert_eq!(read(unsaid, &[], &[]), (false, false), "{unsaid}");
            for on in ["redirect_dir", always] {
                assert_eq!(read(unsaid, &[on], &[]), (true, false), "{unsaid}");
                assert_eq!(read(unsaid, &[], &[on]), (true, false), "{unsaid}");
            }
        }
        for on in ["on", "follow"] {
            assert_eq!(read(&format!("redirect_dir={on}"), &[], &[]), (true, false));
        }
        assert_eq!(read("redirect_dir=nofollow", &["redirect_dir", always], &[]), (false, false));
        for (options, expected) in [("rw", true), ("metacopy=on", true), ("metacopy=off", false)] {
            assert_eq!(read(options, &["metacopy"], &[]), (false, expected), "{options}");
            assert_eq!(read(options, &[], &["metacopy"]), (false, expected), "{options}");
        }
    }

    #[test]
    fn layers_are_where_the_options_say() {
        let parsed = Options::parse(
            b"rw,lowerdir=/a:/b\\040c,upperdir=/u\\054p,workdir=/w,redirect_dir=on,metacopy=off",
        );
        let expected = Options {
            upper: Some(b"/u,p".to_vec()),
            lower: vec![b"/a".to_vec(), b"/b c".to_vec()],
            metacopy: false,
            redirects: true,
        };
        assert_eq!(parsed, Ok(expected));
        // A comma, a colon and a backslash in a path; a colon in octal is part of it too.
        assert_eq!(
            lower(r"lowerdir=/a\134\054b\040c\134:d\134\134e:/f\072g"),
            ["/a,b c:d\\e", "/f:g"]
        );
        assert_eq!(lower(r"lowerdir+=/a:b,lowerdir+=/c\054d"), ["/a:b", "/c,d"]);
        for of_data in
            ["lowerdir=/a::/b,metacopy=off", "lowerdir+=/a,datadir+=/b", "lowerdir=/a,metacopy=on"]
        {
            assert!(Options::parse(of_data.as_bytes()).unwrap().metacopy, "{of_data}");
        }
        for unknown in ["lowerdir=l/A:l/B,upperdir=/u", "lowerdir=/a,upperdir=u", "rw", ""] {
            assert!(Options::parse(unknown.as_bytes()).is_err(), "{unknown}");
        }
    }
}
