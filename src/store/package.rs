//! Names as people read them: package, version, output.

use super::path::parse_drv_name;

/// Outputs that nixpkgs splits off by default
/// (nixpkgs: pkgs/build-support/setup-hooks/multiple-outputs.sh), and `static`.
/// They are taken off any name.
const COMMON: &[&str] =
    &["bin", "dev", "lib", "man", "doc", "devdoc", "devman", "info", "debug", "static"];

/// Other outputs that packages of nixpkgs have. They are taken off after a
/// version only: `kernel-modules` is not an output of a package `kernel`.
const AFTER_VERSION: &[&str] = &[
    "cli",
    "client",
    "daemon",
    "data",
    "dist",
    "dnsutils",
    "dri",
    "drivers",
    "examples",
    "fonts",
    "fuse2fs",
    "getent",
    "host",
    "installedTests",
    "jack",
    "jit",
    "lib32",
    "lib64",
    "libexec",
    "libgcc",
    "libv8",
    "login",
    "modules",
    "mount",
    "npm",
    "opencl",
    "pam",
    "plperl",
    "plpython3",
    "pltcl",
    "py",
    "python",
    "sandbox",
    "scripts",
    "server",
    "sounds",
    "swap",
    "terminfo",
    "test",
    "tests",
    "tex",
    "texdoc",
    "texsource",
    "theme",
    "themes",
    "tlpkg",
    "tools",
    "xxd",
];

/// A name split for people: what paths of one package have in common.
///
/// ```
/// use nix_census::store::Package;
/// let package = Package::guess("glibc-2.35-dev");
/// assert_eq!((package.name, package.version, package.output), ("glibc", "2.35", Some("dev")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Package<'a> {
    /// The package name.
    pub name: &'a str,
    /// The version, empty where there is none.
    pub version: &'a str,
    /// The output whose suffix the name had; `None` for `out`.
    pub output: Option<&'a str>,
}

impl<'a> Package<'a> {
    /// Splits a name whose output is not known: what ends as outputs of nixpkgs
    /// usually do is taken for one. `nix store diff-closures` takes any word of
    /// small letters for an output.
    pub fn guess(name: &'a str) -> Self {
        if name.ends_with(".drv") {
            return Self::of_output(name, "out");
        }
        if let Some((own, output)) = name.rsplit_once('-')
            && !own.is_empty()
        {
            let (package, version) = split(own);
            let usual =
                COMMON.contains(&output) || !version.is_empty() && AFTER_VERSION.contains(&output);
            if usual {
                return Self { name: package, version, output: Some(output) };
            }
        }
        Self::of_output(name, "out")
    }

    /// Splits a name whose output is known.
    pub fn of_output(name: &'a str, output: &'a str) -> Self {
        let own = match output {
            "out" => None,
            _ => name.strip_suffix(output).and_then(|n| n.strip_suffix('-')),
        };
        let (package, version) = split(own.unwrap_or(name));
        Self { name: package, version, output: own.map(|_| output) }
    }
}

/// Package name and version of a name without an output's suffix.
fn split(name: &str) -> (&str, &str) {
    let name = match name.strip_suffix(".drv") {
        Some("") | None => name,
        Some(derivation) => derivation,
    };
    nixos_system(name).unwrap_or_else(|| parse_drv_name(name))
}

/// `nixos-system-<host>-<label>`: a host's name may have a dash and a digit in
/// it, so the label begins at the last dash before a release such as `24.05`.
fn nixos_system(name: &str) -> Option<(&str, &str)> {
    let host = "nixos-system-".len();
    name.strip_prefix("nixos-system-")?;
    let release = |at: &usize| match name.as_bytes()[at + 1..] {
        [a, b, b'.', c, d, ..] => [a, b, c, d].iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let mut dashes = name.match_indices('-').map(|(at, _)| at).filter(|&at| at > host);
    let at = dashes.rfind(release)?;
    Some((&name[..at], &name[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(name: &str) -> (&str, &str, &str) {
        let package = Package::guess(name);
        (package.name, package.version, package.output.unwrap_or_default())
    }

    #[test]
    fn outputs_are_split_off_names_without_a_deriver() {
        assert_eq!(guess("glibc-2.39-52-dev"), ("glibc", "2.39-52", "dev"));
        assert_eq!(guess("gcc-13.2.0-libgcc"), ("gcc", "13.2.0", "libgcc"));
        assert_eq!(guess("gcc-13.2.0-lib"), ("gcc", "13.2.0", "lib"));
        assert_eq!(guess("xz-5.4.6-bin"), ("xz", "5.4.6", "bin"));
        assert_eq!(guess("linux-6.6.32-modules"), ("linux", "6.6.32", "modules"));
        assert_eq!(guess("foo-dev"), ("foo", "", "dev"));
        // Of the same letters, but no outputs.
        assert_eq!(guess("kernel-modules"), ("kernel-modules", "", ""));
        assert_eq!(guess("perl-5.38.2-env"), ("perl", "5.38.2-env", ""));
        assert_eq!(guess("foo-unstable-2024-01-01"), ("foo-unstable", "2024-01-01", ""));
        assert_eq!(guess("alsa-lib-1.2.11"), ("alsa-lib", "1.2.11", ""));
        assert_eq!(guess("dev"), ("dev", "", ""));
        assert_eq!(guess("-dev"), ("-dev", "", ""));
    }

    #[test]
    fn a_derivation_s_version_does_not_end_in_drv() {
        assert_eq!(guess("hello-2.12.1.drv"), ("hello", "2.12.1", ""));
        assert_eq!(guess("source.drv"), ("source", "", ""));
        // A derivation has no output in its name.
        assert_eq!(guess("foo-1.0-dev.drv"), ("foo", "1.0-dev", ""));
        assert_eq!(guess(".drv"), (".drv", "", ""));
    }

    #[test]
    fn the_host_of_a_nixos_system_may_have_digits() {
        assert_eq!(guess("nixos-system-web-01-24.05"), ("nixos-system-web-01", "24.05", ""));
        assert_eq!(
            guess("nixos-system-web-01-24.11.20240601.abcdef0.drv"),
            ("nixos-system-web-01", "24.11.20240601.abcdef0", "")
        );
        assert_eq!(guess("nixos-system-x-25.05pre-git"), ("nixos-system-x", "25.05pre-git", ""));
        assert_eq!(guess("nixos-system-24.05"), ("nixos-system", "24.05", ""));
        assert_eq!(guess("nixos-system-nix"), ("nixos-system-nix", "", ""));
    }

    #[test]
    fn a_known_output_needs_no_guess() {
        let known = Package::of_output("foo-1.0-odd", "odd");
        assert_eq!((known.name, known.version, known.output), ("foo", "1.0", Some("odd")));
        // A derivation called so, whose output is `out`.
        let known = Package::of_output("foo-1.0-dev", "out");
        assert_eq!((known.name, known.version, known.output), ("foo", "1.0-dev", None));
    }
}
