//! Who made a link that is a root, by the shape of its place. All rules are here.

/// Who made a link. The names are stable: they are printed in JSON. In the
/// order in which links are given up most readily: those that come back by
/// themselves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Maker {
    /// `nix build`, `nix-build`, `nixos-rebuild build`: `result`, `result-2`,
    /// `result-dev`.
    Result,
    /// nh: a `result` in a temporary directory of its own.
    Nh,
    /// nix-direnv: environments and inputs of flakes in `.direnv`.
    NixDirenv,
    /// direnv itself: whatever else is in `.direnv`.
    Direnv,
    /// devenv: what is in `.devenv`.
    Devenv,
    /// home-manager: its generations, and the one in use.
    HomeManager,
    /// `nix profile` and `nix-env`.
    NixProfile,
    /// Anything else.
    Other,
}

impl Maker {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Result,
        Self::Nh,
        Self::NixDirenv,
        Self::Direnv,
        Self::Devenv,
        Self::HomeManager,
        Self::NixProfile,
        Self::Other,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Nh => "nh",
            Self::NixDirenv => "nix-direnv",
            Self::Direnv => "direnv",
            Self::Devenv => "devenv",
            Self::HomeManager => "home-manager",
            Self::NixProfile => "nix-profile",
            Self::Other => "other",
        }
    }

    /// Who made the link of that name, an absolute one.
    pub fn of(link: &[u8]) -> Self {
        let parts: Vec<&[u8]> = link.split(|&b| b == b'/').filter(|p| !p.is_empty()).collect();
        let Some((&name, directories)) = parts.split_last() else { return Self::Other };
        let place = |wanted: &[u8]| directories.iter().rposition(|&d| d == wanted);
        let is_result = |name: &[u8]| name == b"result" || name.starts_with(b"result-");
        // The innermost of the two decides: devenv keeps a `.direnv` beside it.
        match (place(b".direnv"), place(b".devenv")) {
            (direnv, Some(devenv)) if direnv < Some(devenv) => return Self::Devenv,
            (Some(direnv), _) => {
                let below = directories.get(direnv + 1).copied().unwrap_or(name);
                let flake = [&b"flake-profile"[..], b"flake-inputs", b"nix-profile"];
                return match flake.iter().any(|prefix| below.starts_with(prefix)) {
                    true => Self::NixDirenv,
                    false => Self::Direnv,
                };
            }
            _ => {}
        }
        let parent = directories.last().copied().unwrap_or_default();
        let nh = parent.starts_with(b"nh-") || parent.starts_with(b".tmp-nh");
        if is_result(name) {
            return if nh { Self::Nh } else { Self::Result };
        }
        let in_profiles = place(b"profiles").is_some();
        if place(b"home-manager").is_some() || name.starts_with(b"home-manager") && in_profiles {
            return Self::HomeManager;
        }
        if in_profiles && (name.starts_with(b"profile") || name.starts_with(b"default")) {
            return Self::NixProfile;
        }
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_shape_of_their_place() {
        for (link, maker) in [
            ("/home/u/project/result", Maker::Result),
            ("/home/u/project/result-2", Maker::Result),
            ("/home/u/project/result-dev", Maker::Result),
            ("/home/u/project/results", Maker::Other),
            ("/tmp/nh-osAbC12/result", Maker::Nh),
            ("/home/u/p/.direnv/flake-profile-0a1b2c", Maker::NixDirenv),
            ("/home/u/p/.direnv/flake-inputs/0a-source", Maker::NixDirenv),
            ("/home/u/p/.direnv/nix-profile-24.05-x", Maker::NixDirenv),
            ("/home/u/p/.direnv/python/x", Maker::Direnv),
            ("/home/u/p/.devenv/gc/shell", Maker::Devenv),
            ("/home/u/p/.devenv/profile", Maker::Devenv),
            ("/home/u/.devenv/p/.direnv/flake-profile-1", Maker::NixDirenv),
            ("/home/u/.local/state/home-manager/gcroots/current-home", Maker::HomeManager),
            ("/home/u/.local/state/nix/profiles/home-manager-7-link", Maker::HomeManager),
            ("/nix/var/nix/profiles/per-user/u/home-manager-7-link", Maker::HomeManager),
            ("/home/u/.local/state/nix/profiles/profile-3-link", Maker::NixProfile),
            ("/nix/var/nix/profiles/default-3-link", Maker::NixProfile),
            ("/nix/var/nix/profiles/system-3-link", Maker::Other),
            ("/home/u/link", Maker::Other),
            ("/result", Maker::Result),
            ("/", Maker::Other),
            ("", Maker::Other),
        ] {
            assert_eq!(Maker::of(link.as_bytes()), maker, "{link}");
        }
    }
}
