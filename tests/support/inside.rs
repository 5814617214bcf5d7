//! A server in this process, on a disk of the test's choosing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admit::compose::{Composed, World, compose};
use admit::config::{self, Config, Overrides};
use admit::domain::Appliance;
use admit::http::tls::{self, Certificate};
use admit::http::{self, AllowedHosts, Limits, Settings, TrustedProxies};
use admit::kernel::{Clock as _, SystemClock};
use admit::store::Disk;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::process::PUBLIC_URL;

/// A server in this process.
pub(crate) struct Inside {
    pub(crate) address: SocketAddr,
    pub(crate) appliance: Arc<Appliance>,
    leave: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Inside {
    /// Opens the data there and serves them, or says why it cannot.
    pub(crate) async fn open(data: &Path, disk: Arc<dyn Disk>) -> Result<Self, String> {
        let config = config(data);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let files = tls::prepare(data, &names, SystemClock.now()).map_err(|e| e.to_string())?;
        let world = World {
            disk,
            ..World::real()
        };
        let composed = compose(&config, 8443, world);
        let Composed { appliance, .. } = composed.map_err(|e| e.to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            limits: Limits::default(),
            names: AllowedHosts::new(names.iter().map(String::as_str)),
            proxies: TrustedProxies::default(),
            drain: Duration::from_secs(1),
        };
        let tls = Certificate::load(files).unwrap().server_config().unwrap();
        let (leave, told) = oneshot::channel::<()>();
        let routes = http::routes(&appliance);
        let entropy = appliance.entropy();
        let served = tokio::spawn(async move {
            let told = async { drop(told.await) };
            http::serve(listener, Some(tls), routes, settings, entropy, told).await;
        });
        Ok(Self {
            address,
            appliance,
            leave,
            served,
        })
    }

    /// Leaves, and closes the store.
    pub(crate) async fn close(self) {
        let _ = self.leave.send(());
        self.served.await.unwrap();
        assert_eq!(
            Arc::strong_count(&self.appliance),
            1,
            "somebody still holds the appliance"
        );
    }
}

fn config(data: &Path) -> Config {
    let witness = data.join("witness").display().to_string();
    let set = [
        ("ADMIT_STORE_WITNESS", witness.as_str()),
        ("ADMIT_SERVER_PUBLIC_URL", PUBLIC_URL),
        (
            "ADMIT_TICKETS_WRONG_GUESSES_PER_NETWORK_PER_HOUR",
            "1000000",
        ),
        ("ADMIT_TICKETS_WRONG_GUESSES_SHORT_PER_HOUR", "1000000"),
        ("ADMIT_TOKENS_REFRESH_GRACE_SECONDS", "300"),
    ];
    let overrides = Overrides {
        data: Some(data.to_path_buf()),
        ..Overrides::default()
    };
    let set = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    config::load(overrides, set).unwrap_or_else(|problems| panic!("{problems}"))
}
