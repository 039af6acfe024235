//! What kind of file a name speaks of: by a well-known place, else by its
//! extension.

use std::borrow::Cow;

/// Places below a store path, and what lies there. The first that fits counts.
const PLACES: &[(&str, &str)] = &[
    ("/share/man/", "man pages"),
    ("/share/info/", "info pages"),
    ("/share/doc/", "documentation"),
    ("/share/gtk-doc/", "documentation"),
    ("/share/help/", "documentation"),
    ("/share/licenses/", "licences"),
    ("/share/locale/", "translations"),
    ("/lib/locale/", "locales"),
    ("/share/i18n/", "locales"),
    ("/share/zoneinfo/", "time zones"),
    ("/share/terminfo/", "terminfo"),
    ("/lib/terminfo/", "terminfo"),
    ("/share/bash-completion/", "shell completions"),
    ("/share/zsh/", "shell completions"),
    ("/share/fish/", "shell completions"),
    ("/share/icons/", "icons"),
    ("/share/fonts/", "fonts"),
    ("/lib/modules/", "kernel modules"),
    ("/lib/firmware/", "firmware"),
    ("/lib/udev/", "udev"),
    ("/lib/systemd/", "systemd units"),
    ("/nix-support/", "nix-support"),
    ("/include/", "headers"),
    ("/bin/", "programs"),
    ("/sbin/", "programs"),
    ("/libexec/", "programs"),
];

/// The kind of a file or symlink with that name below the store directory.
pub(super) fn kind(name: &[u8], symlink: bool) -> Cow<'static, str> {
    if symlink {
        return "symlinks".into();
    }
    let file = name.rsplit(|&b| b == b'/').next().unwrap_or_default();
    if is_shared_library(file) {
        return "shared libraries".into();
    }
    if let Some(kind) = place(name) {
        return kind.into();
    }
    let dot = file.iter().rposition(|&b| b == b'.').filter(|&at| at > 0);
    let extension = dot.map(|at| &file[at + 1..]).unwrap_or_default();
    let plain = !extension.is_empty()
        && extension.len() <= 8
        && extension.iter().all(u8::is_ascii_alphanumeric)
        && !extension.iter().all(u8::is_ascii_digit);
    match (plain, std::str::from_utf8(extension)) {
        (true, Ok(extension)) => format!(".{}", extension.to_ascii_lowercase()).into(),
        _ => "other files".into(),
    }
}

/// What lies at the first of the places that the name leads through.
fn place(name: &[u8]) -> Option<&'static str> {
    let mut first = PLACES.len();
    for (at, _) in name.iter().enumerate().filter(|&(_, &b)| b == b'/') {
        let rest = &name[at..];
        // The letter after the slash rules out most without a call.
        let leads = |place: &str| {
            rest.get(1) == place.as_bytes().get(1) && rest.starts_with(place.as_bytes())
        };
        first = PLACES[..first].iter().position(|(place, _)| leads(place)).unwrap_or(first);
    }
    PLACES.get(first).map(|&(_, kind)| kind)
}

/// `libz.so`, `libz.so.1.2`.
fn is_shared_library(file: &[u8]) -> bool {
    let Some(at) = file.windows(3).position(|part| part == b".so") else { return false };
    at > 0 && file[at + 3..].iter().all(|&b| b == b'.' || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_places_before_extensions() {
        let of = |name: &str| kind(name.as_bytes(), false).into_owned();
        assert_eq!(of("h-p/share/man/man1/a.1.gz"), "man pages");
        assert_eq!(of("h-p/lib/libz.so.1.2"), "shared libraries");
        assert_eq!(of("h-p/bin/a.py"), "programs");
        assert_eq!(of("h-p/bin/share/man/a"), "man pages");
        assert_eq!(of("h-p/mybin/a.c"), ".c");
        assert_eq!(of("h-p/lib/python3/a.PY"), ".py");
        assert_eq!(of("h-p-1.25"), "other files");
        assert_eq!(of("h-p/.hidden"), "other files");
        assert_eq!(of("h-p/a.\x1b[31m"), "other files");
        assert_eq!(kind(b"h-p/bin/a", true), "symlinks");
    }
}
