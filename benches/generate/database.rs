//! A generated graph as a real Nix database.

use std::error::Error;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use rusqlite::{Connection, params};

use crate::generate::{self, Graph, Kind, Random};

/// Columns, keys and the index of schema 10, as Nix's `schema.sql` has them.
const SCHEMA: &str = "
    CREATE TABLE ValidPaths (
        id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        path TEXT UNIQUE NOT NULL, hash TEXT NOT NULL, registrationTime INTEGER NOT NULL,
        deriver TEXT, narSize INTEGER, ultimate INTEGER, sigs TEXT, ca TEXT);
    CREATE TABLE Refs (
        referrer INTEGER NOT NULL, reference INTEGER NOT NULL,
        PRIMARY KEY (referrer, reference),
        FOREIGN KEY (referrer) REFERENCES ValidPaths(id) ON DELETE CASCADE,
        FOREIGN KEY (reference) REFERENCES ValidPaths(id) ON DELETE RESTRICT);
    CREATE INDEX IndexReference ON Refs(reference);
    CREATE TRIGGER DeleteSelfRefs BEFORE DELETE ON ValidPaths BEGIN
        DELETE FROM Refs WHERE referrer = old.id AND reference = old.id; END;
    CREATE TABLE DerivationOutputs (
        drv INTEGER NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (drv, id), FOREIGN KEY (drv) REFERENCES ValidPaths(id) ON DELETE CASCADE);
    CREATE INDEX IndexDerivationOutputs ON DerivationOutputs(path);";

/// Writes `out/nix/var/nix` with the database, a link in `profiles` for each
/// system and `roots` more in `gcroots/generated`; `out/nix/store` stays empty.
/// Gives `out/nix`.
pub(crate) fn write(
    graph: &Graph,
    out: &Path,
    seed: u64,
    roots: usize,
) -> Result<PathBuf, Box<dyn Error>> {
    std::fs::create_dir_all(out)?;
    let nix = out.canonicalize()?.join("nix");
    let state = nix.join("var/nix");
    std::fs::create_dir_all(nix.join("store"))?;
    std::fs::create_dir_all(state.join("db"))?;
    let paths = store_paths(graph, &nix.join("store"), seed);
    std::fs::write(state.join("db/schema"), "10")?;
    write_database(graph, &paths, &state.join("db/db.sqlite"), seed)?;
    write_roots(graph, &paths, &state, roots)?;
    Ok(nix)
}

/// Store paths with names as packages have them; a derivation is called as its
/// output is.
fn store_paths(graph: &Graph, store: &Path, seed: u64) -> Vec<String> {
    const FIRST: [&str; 12] = [
        "lib",
        "perl",
        "python3.11",
        "gnome",
        "linux",
        "unit",
        "xorg",
        "kde",
        "gtk",
        "ruby",
        "go",
        "rust",
    ];
    const SECOND: [&str; 16] = [
        "curl", "ssl", "config", "tools", "data", "core", "mail", "font", "json", "image", "net",
        "build", "session", "script", "udev", "hook",
    ];
    const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let mut random = Random(seed ^ 0x6e61_6d65);
    let mut names = vec![String::new(); graph.kinds.len()];
    for (i, kind) in graph.kinds.iter().enumerate().rev() {
        let mut word = |words: &[&'static str]| words[random.below(words.len())];
        let (first, second) = (word(&FIRST), word(&SECOND));
        let number = random.below(40);
        let minor = random.below(20);
        names[i] = match kind {
            Kind::System(_) => format!("nixos-system-host-2{}.{minor:02}", number % 6),
            Kind::Output(_) => format!("{first}-{second}-{number}.{minor}"),
            Kind::Source if number < 10 => format!("{first}-{second}-{number}.{minor}.tar.xz"),
            Kind::Source => format!("{second}-{number}.patch"),
            // Its output comes later in the order, so it has its name.
            Kind::Derivation => match std::mem::take(&mut names[i]) {
                none if none.is_empty() => format!("{first}-{second}.drv"),
                name => name,
            },
        };
        if let Kind::System(derivation) | Kind::Output(derivation) = kind {
            names[*derivation as usize] = format!("{}.drv", names[i]);
        }
    }
    let store = store.display();
    names
        .into_iter()
        .map(|name| {
            let digest: String =
                (0..32).map(|_| char::from(DIGITS[(random.next() >> 59) as usize])).collect();
            format!("{store}/{digest}-{name}")
        })
        .collect()
}

fn write_database(
    graph: &Graph,
    paths: &[String],
    file: &Path,
    seed: u64,
) -> Result<(), Box<dyn Error>> {
    let mut random = Random(seed ^ 0x6461_7461);
    let weights = generate::weights(paths.len(), seed);
    let mut db = Connection::open(file)?;
    db.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = off;")?;
    let transaction = db.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    {
        let mut path = transaction.prepare(
            "INSERT INTO ValidPaths (id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut output =
            transaction.prepare("INSERT INTO DerivationOutputs VALUES (?, 'out', ?)")?;
        let mut reference = transaction.prepare("INSERT INTO Refs VALUES (?, ?)")?;
        let mut bytes = [0u8; 64];
        for (i, row) in graph.rows.iter().enumerate() {
            bytes.chunks_exact_mut(8).for_each(|c| c.copy_from_slice(&random.next().to_le_bytes()));
            let hash = format!("sha256:{}", HEXLOWER.encode(&bytes[..32]));
            let kind = graph.kinds[i];
            let deriver = match kind {
                Kind::Output(derivation) | Kind::System(derivation) => Some(derivation),
                _ => None,
            };
            // Outputs from a cache are signed, those built here are ultimate.
            let signed = deriver.is_some() && bytes[0] % 4 != 0;
            let sigs = signed.then(|| format!("cache.nixos.org-1:{}", BASE64.encode(&bytes)));
            let ultimate = (deriver.is_some() && !signed).then_some(1);
            let ca = match kind {
                Kind::Source if paths[i].ends_with(".tar.xz") => {
                    Some(hash.replacen("sha256", "fixed:sha256", 1))
                }
                Kind::Source => Some(hash.replacen("sha256", "fixed:r:sha256", 1)),
                Kind::Derivation => Some(hash.replacen("sha256", "text:sha256", 1)),
                _ => None,
            };
            let deriver_path = deriver.map(|d| &paths[d as usize]);
            // A thousand paths an hour.
            let time = 1_600_000_000 + i * 18 / 5;
            let id = i + 1;
            let size = weights[i].nar as i64;
            path.execute(params![
                id as i64,
                paths[i],
                hash,
                time as i64,
                deriver_path,
                size,
                ultimate,
                sigs,
                ca
            ])?;
            if let Some(derivation) = deriver {
                output.execute(params![derivation + 1, paths[i]])?;
            }
            for to in row {
                reference.execute(params![id as i64, to + 1])?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn write_roots(
    graph: &Graph,
    paths: &[String],
    state: &Path,
    roots: usize,
) -> Result<(), Box<dyn Error>> {
    use std::os::unix::fs::symlink;
    let profiles = state.join("profiles");
    std::fs::create_dir_all(&profiles)?;
    let systems = (0..paths.len()).filter(|&i| matches!(graph.kinds[i], Kind::System(_)));
    for (generation, system) in (1..).zip(systems) {
        symlink(&paths[system], profiles.join(format!("system-{generation}-link")))?;
    }
    let gcroots = state.join("gcroots");
    std::fs::create_dir_all(&gcroots)?;
    symlink(&profiles, gcroots.join("profiles"))?;
    for root in 0..roots {
        let dir = gcroots.join(format!("generated/{}", root / 10_000));
        if root % 10_000 == 0 {
            std::fs::create_dir_all(&dir)?;
        }
        // Spread evenly over all paths.
        let target = (root as u128 * paths.len() as u128 / roots as u128) as usize;
        symlink(&paths[target], dir.join(format!("root-{root}")))?;
    }
    Ok(())
}
