//! The operator's way in while the appliance serves: a socket in the data folder, for root and the service's own user.
//!
//! One JSON line in, one JSON line out when the change is on the disk, after any that say how far long work has come
//! (decision 0019). It is reached by no network, and knows no rule: `upkeep` carries the order out as it does for a
//! store nobody serves.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::Appliance;
use crate::upkeep::{self, Answer, Order, Site};

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";
/// The longest command, in bytes.
pub const COMMAND_MAX: u64 = 64 * 1024;
/// How long an answer may take to be taken.
const SAID_WITHIN: Duration = Duration::from_secs(30);
/// How long a command may take to come.
const PATIENCE: Duration = Duration::from_secs(2);
/// Commands at once.
const AT_ONCE: u32 = 8;
/// The longest path a socket's address holds (unix(7)).
const PATH_MAX: usize = 107;

/// Where a socket can be reached. What it holds keeps the path good.
pub struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    /// The control socket of a data folder, by a short way round where its path is too long for an address.
    pub fn of(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        if path.as_os_str().len() <= PATH_MAX {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let folder = File::open(data)?;
        Ok(Self {
            path: format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()).into(),
            _folder: Some(folder),
        })
    }

    /// The path to bind or connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A socket nobody is answered at yet.
pub struct Control {
    listener: UnixListener,
    address: Address,
}

impl Control {
    /// Binds the socket, in place of one that an earlier process left. Whoever calls holds the data folder's lock, so
    /// that nobody serves at the one that is removed.
    pub fn bind(data: &Path) -> io::Result<Self> {
        let address = Address::of(data)?;
        if let Err(error) = fs::remove_file(address.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(address.path())?;
        fs::set_permissions(address.path(), Permissions::from_mode(0o600))?;
        Ok(Self { listener, address })
    }

    /// Answers until `shutdown`, then lets commands under way end. The socket is gone when this returns.
    pub async fn serve(
        self,
        appliance: Arc<Appliance>,
        site: Arc<Site>,
        shutdown: impl Future<Output = ()>,
    ) {
        let turns = Arc::new(Semaphore::new(AT_ONCE as usize));
        tokio::select! {
            () = self.accept(&appliance, &site, &turns) => {}
            () = shutdown => {}
        }
        let _ = fs::remove_file(self.address.path());
        let _ = timeout(2 * PATIENCE, turns.acquire_many(AT_ONCE)).await;
    }

    async fn accept(&self, appliance: &Arc<Appliance>, site: &Arc<Site>, turns: &Arc<Semaphore>) {
        while let Ok(turn) = Arc::clone(turns).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (appliance, site) = (Arc::clone(appliance), Arc::clone(site));
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, appliance, site).await {
                            tracing::debug!("the operator's socket: {error}");
                        }
                        drop(turn);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: others give theirs back.
                    tracing::warn!("the operator's socket: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn answer(
    mut stream: UnixStream,
    appliance: Arc<Appliance>,
    site: Arc<Site>,
) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let answer = if is_operator(peer) {
        match timeout(PATIENCE, order(&mut stream)).await {
            Ok(Ok(order)) => carry_out(&mut stream, appliance, site, order).await,
            Ok(Err(why)) => Answer::Refused(why.to_owned()),
            Err(_) => Answer::Refused("the command did not come in time".into()),
        }
    } else {
        tracing::warn!(uid = peer, "the operator's socket: a stranger was refused");
        Answer::Refused(STRANGER.into())
    };
    say(&mut stream, &answer).await?;
    stream.shutdown().await
}

async fn say(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    // An export may be long, and whoever reads it slow.
    timeout(SAID_WITHIN, stream.write_all(&line)).await?
}

/// Root and the user the appliance runs as, whatever the socket's mode lets through.
fn is_operator(peer: u32) -> bool {
    peer == 0 || peer == rustix::process::geteuid().as_raw()
}

const STRANGER: &str = "only root and the user the server runs as are answered here";

async fn order(stream: &mut UnixStream) -> Result<Order, &'static str> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(stream.take(COMMAND_MAX));
    let read = bounded.read_until(b'\n', &mut line).await;
    read.map_err(|_| "the command could not be read")?;
    if line.pop() != Some(b'\n') {
        return Err("a command is one line of at most 65536 bytes");
    }
    serde_json::from_slice(&line)
        .map_err(|_| "the server does not know this command: it is of another version")
}

/// Carries the order out on a thread of its own, because it may hash a password or read the whole store. Whoever hangs
/// up meanwhile only hears no more of it.
async fn carry_out(
    stream: &mut UnixStream,
    appliance: Arc<Appliance>,
    site: Arc<Site>,
    order: Order,
) -> Answer {
    let (teller, mut told) = mpsc::channel(1);
    let work = spawn_blocking(move || {
        // Who listens slowly hears less.
        let tell = |progress| drop(teller.try_send(progress));
        upkeep::execute(&appliance, &site, order, &tell)
    });
    let mut listens = true;
    while let Some(progress) = told.recv().await {
        listens = listens && say(stream, &Answer::Progress(progress)).await.is_ok();
    }
    let Ok(answer) = work.await else {
        tracing::error!("a command of the operator panicked");
        return Answer::Broken("the command panicked; the server's log says more".into());
    };
    if let Answer::Broken(why) = &answer {
        tracing::error!("a command of the operator: {why}");
    }
    answer
}
