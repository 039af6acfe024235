//! What the integration tests stand on: a [`TestEnv`] that runs the program with
//! nothing from the outside, and real Nix stores ([`nix`]), built once a run.
//!
//! A test that needs Nix, root or some tool asks for it first and returns if
//! there is none: `let Some(stores) = nix::stores() else { return };`. The skip is
//! printed. With `NIX_CENSUS_REQUIRE_NIX=1` (as `.ci/run` sets) it panics instead.
#![allow(dead_code, reason = "helpers for tests to come; each topic uses its own few")]

pub(crate) mod browser;
pub(crate) mod nix;
mod skip;
pub(crate) mod store_in_code;
pub(crate) mod store_with_roots;

pub(crate) use skip::{require, skip};

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A private directory and the program, run with a cleared environment.
pub(crate) struct TestEnv {
    dir: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

/// What one run of a program gave.
#[derive(Debug)]
pub(crate) struct Run {
    /// Standard output, as written.
    pub(crate) stdout_bytes: Vec<u8>,
    /// Standard output; what is not UTF-8 is replaced.
    pub(crate) stdout: String,
    /// Standard error; what is not UTF-8 is replaced.
    pub(crate) stderr: String,
    /// The exit status; 128 + the signal when a signal ended it.
    pub(crate) status: i32,
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        Self::on(scratch())
    }

    /// One in a directory of the caller's choice.
    pub(crate) fn on(dir: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("nix-census-test-").tempdir_in(dir).unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir, vars: Vec::new() }
    }

    /// The private directory; gone when the test ends.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in the private directory.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Sets a variable for every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.vars.push((name.into(), value.into()));
        self
    }

    /// The program with this environment and these arguments, not yet run.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nix-census"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.join("home"))
            .env("COLUMNS", "120")
            .env("TZ", "UTC")
            .envs(self.vars.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        run(&mut self.command(args))
    }

    /// Runs the program; standard output, when it ended with status 0.
    #[track_caller]
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        self.run(args).ok()
    }

    /// Runs the program, expecting status 0, and parses its standard output.
    #[track_caller]
    pub(crate) fn json<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> serde_json::Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }
}

impl Run {
    /// Standard output, when the status was 0.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Run {
    use std::os::unix::process::ExitStatusExt;
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}"),
    };
    Run {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stdout_bytes: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output
            .status
            .code()
            .unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
    }
}

/// Whether this runs as root; the skip is printed if not.
#[track_caller]
pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("this needs root");
    }
    root
}

/// Makes a device, which only root can; whether it could.
pub(crate) fn device(path: &Path) -> bool {
    if !rustix::process::geteuid().is_root() {
        skip("devices are made by root alone");
        return false;
    }
    let made = run(Command::new("mknod").arg(path).args(["c", "1", "3"]));
    if made.status != 0 {
        skip(&format!("devices cannot be made here: {}", made.stderr));
    }
    made.status == 0
}

/// Whether all these programs are there (in `PATH` or sbin); the skip is printed if not.
#[track_caller]
pub(crate) fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        let found = std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .any(|dir| dir.join(program).is_file());
        if !found {
            skip(&format!("{program} is not installed"));
            return false;
        }
    }
    true
}

/// Whether programs may be traced here, and their calls made to fail; the skip is
/// printed if not.
#[track_caller]
pub(crate) fn can_trace() -> bool {
    if !have(&["strace"]) {
        return false;
    }
    let mut strace = Command::new("strace");
    strace.args(["-fqqo", "/dev/null", "-e", "trace=statx"]);
    let traced = run(strace.args(["-e", "inject=statx:error=ENOSYS:when=1000", "true"]));
    if traced.status != 0 {
        skip(&format!("strace may not trace here: {}", traced.stderr));
    }
    traced.status == 0
}

/// A command run by another program: with the environment that it was given, in its
/// directory, and with nothing to read.
pub(crate) fn through<S: AsRef<OsStr>>(
    wrapper: impl IntoIterator<Item = S>,
    command: &Command,
) -> Command {
    let mut words = wrapper.into_iter();
    let mut through = Command::new(words.next().unwrap());
    through.args(words).arg(command.get_program()).args(command.get_args());
    through.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    through.current_dir(command.get_current_dir().unwrap_or(Path::new("/")));
    through.stdin(Stdio::null());
    through
}

/// Where tests make their directories: `TMPDIR`, or memory where there is enough of it,
/// or `/tmp`. In the seconds after files are deleted, ext4 takes much longer to create
/// others; on disk, most of the time of the tests would go there.
pub(crate) fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let given = std::env::var_os("TMPDIR").is_some_and(|dir| !dir.is_empty());
        if !given && serves(memory).unwrap_or(false) { memory.into() } else { std::env::temp_dir() }
    })
}

/// Whether a directory has room, runs programs and, as not all memory does, keeps
/// extended attributes.
fn serves(dir: &Path) -> std::io::Result<bool> {
    let stat = rustix::fs::statvfs(dir)?;
    let room = stat.f_bavail.saturating_mul(stat.f_frsize) >= 4 << 30 && stat.f_favail > 1_000_000;
    let file = tempfile::NamedTempFile::new_in(dir)?;
    rustix::fs::setxattr(file.path(), "user.test", b"", rustix::fs::XattrFlags::empty())?;
    Ok(room && !stat.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC))
}

/// A directory for a test that runs no program.
pub(crate) fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir_in(scratch()).unwrap()
}

/// Copies a tree as `cp -a` does: hard links, holes, modes and times kept.
#[track_caller]
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg("-T").arg(from).arg(to)).ok();
}

/// The program by a name that anybody can run, wherever it lies. The
/// environment's directory becomes one that anybody can enter.
pub(crate) fn program(env: &TestEnv) -> PathBuf {
    static PROGRAM: OnceLock<File> = OnceLock::new();
    fs::set_permissions(env.path(), Permissions::from_mode(0o755)).unwrap();
    reachable(PROGRAM.get_or_init(|| inherited(Path::new(env!("CARGO_BIN_EXE_nix-census")))))
}

/// The name of an open file in all processes that inherit it. It needs no
/// permission for the directories above the file.
pub(crate) fn reachable(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// A file opened to be read, in the processes started from here too.
///
/// A copy in a place that all may enter would do as well, but for this: while it
/// is written, another thread may start a process, which has it open for writing
/// until it runs its own program; and who runs the copy just then is told "Text
/// file busy".
pub(crate) fn inherited(path: &Path) -> File {
    let file = File::open(path).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    file
}

/// The program, run as nobody; this needs root and setpriv.
pub(crate) fn nobody(env: &TestEnv) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program(env));
    setpriv
}

/// What `du -s` says of some paths together, in bytes: each inode once.
pub(crate) fn du<P: AsRef<OsStr>>(paths: &[P]) -> u64 {
    du_with("--block-size=1", paths)
}

/// The inodes of trees together, each once.
pub(crate) fn du_inodes<P: AsRef<OsStr>>(paths: &[P]) -> u64 {
    du_with("--inodes", paths)
}

fn du_with<P: AsRef<OsStr>>(option: &str, paths: &[P]) -> u64 {
    let out = run(Command::new("du").args(["-sc", option, "--"]).args(paths)).ok();
    out.lines().last().unwrap().split_whitespace().next().unwrap().parse().unwrap()
}
