//! A test in mount and process namespaces of its own: whatever ends it, its mounts, its loop devices and the processes
//! it started go with it.
//!
//! There `ROOM` is a file system in memory, where file systems in image files can stand; `Shown` is a program that shows
//! such a file through FUSE, and sees each write to it. Of what is tested it knows nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Where the image files are; its name is short enough for sockets beneath it.
pub(crate) const ROOM: &str = "/mnt";

/// Runs the test named so in namespaces of its own. Where what it needs, tried by a script in `ROOM`, is not to be had,
/// says so in the last lines of `tests/run`.
pub(crate) fn apart(name: &str, needs: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        run("mount", &["-t", "tmpfs", "-o", "size=2g", "none", ROOM]);
        return test();
    }
    if let Err(why) = can(needs) {
        let told = format!("{name} SKIPPED: {why}\n");
        print!("{told}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&folder).unwrap();
        return fs::write(folder.join(name.replace("::", ".")), told).unwrap();
    }
    let output = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Runs what is asynchronous in a test that is not.
pub(crate) fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(work)
}

/// Whether this machine lends us what the script asks for.
fn can(needs: &str) -> Result<(), String> {
    let script = format!("set -e; mount -t tmpfs none {ROOM}; cd {ROOM}; {needs}");
    let tried = unshare().args(["sh", "-c", &script]).output();
    let tried = tried.map_err(|error| format!("unshare: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    Err(said.trim().replace('\n', "; "))
}

fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(NAMESPACES);
    unshare
}

/// A program that shows a file whose writes it sees.
pub(crate) struct Shown {
    program: Child,
    pub(crate) file: PathBuf,
}

impl Shown {
    /// Starts the program, which is to show this file, and waits until it does.
    pub(crate) fn by(program: &str, words: &[&str], file: &Path) -> Self {
        fs::write(file, "").unwrap();
        let program = Command::new(program)
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let file = file.to_path_buf();
        wait_until("the file is shown", || {
            fs::metadata(&file).is_ok_and(|file| file.len() > 0)
        });
        Self { program, file }
    }

    /// Ends the program, which writes out what it holds.
    pub(crate) fn end(mut self) {
        kill_process(Pid::from_child(&self.program), Signal::TERM).unwrap();
        self.program.wait().unwrap();
    }
}

/// Mounts what an image file holds.
pub(crate) fn mount(image: &Path, at: &Path) {
    run("mount", &["-o", "loop", text(image), text(at)]);
}

/// The engine's threads may hold its files for a moment longer than their owner.
pub(crate) fn unmount(at: &Path) {
    wait_until("it is unmounted", || {
        let umount = Command::new("umount").arg(at).output();
        umount.unwrap().status.success()
    });
}

pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let became_so = (0..5000).any(|_| {
        let so = is_so();
        if !so {
            std::thread::sleep(Duration::from_millis(2));
        }
        so
    });
    assert!(became_so, "not within 10 s: {what}");
}

pub(crate) fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const INSIDE: &str = "ADMIT_TEST_APART";
const NAMESPACES: [&str; 7] = [
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
