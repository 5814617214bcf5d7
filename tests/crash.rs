//! Kill the process at any instant: what was answered is still there, and it starts again by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use admit::store::RealDisk;

use crate::support::inside::Inside;
use crate::support::line::Site;
use crate::support::load::{Chance, Load};
use crate::support::process::Launch;

const KILLS: usize = 200;
const WORKERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_after_200_kills_under_load_nothing_that_was_answered_is_missing() {
    let data = tempfile::tempdir().unwrap();
    drop(Launch::on(data.path()).start());
    let load = Load::new(WORKERS);
    let mut chance = Chance::new(7);
    let (mut starts, mut killed_starting) = (Vec::new(), 0);
    for kill in 0..KILLS {
        // One kill in five falls somewhere in a start.
        if kill % 5 == 4 {
            let starting = Launch::on(data.path()).spawn();
            std::thread::sleep(Duration::from_micros(chance.below(60_000) as u64));
            starting.kill();
            killed_starting += 1;
            continue;
        }
        let process = Launch::on(data.path()).start();
        starts.push(process.spawned().elapsed());
        assert!(!process.log().contains("damaged"), "{}", process.log());
        let site = Site::new(process.address(), data.path());
        let lost = load.verify(&site, false).await;
        assert!(lost.is_empty(), "after {kill} kills: {lost:#?}");
        let token = site.token().await.unwrap();
        let running = load.begin(&site, &token);
        let at = Duration::from_micros(20_000 + chance.below(250_000) as u64);
        tokio::time::sleep(at).await;
        let killing = tokio::task::spawn_blocking(move || process.kill());
        running.all_stopped().await;
        killing.await.unwrap();
    }
    let began = Instant::now();
    everything_is_there(&load, data.path()).await;
    starts.sort();
    println!(
        "{KILLS} kills, {killed_starting} of them during a start; {} answered changes, none missing (last check {:.1?}); \
         ready again after {:.0?} in the middle, {:.0?} at worst",
        load.answered(),
        began.elapsed(),
        starts[starts.len() / 2],
        starts[starts.len() - 1],
    );
    assert!(load.answered() > 10 * KILLS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_a_first_start_killed_at_any_instant_is_finished_by_the_next() {
    for after in 0..30_u64 {
        let data = tempfile::tempdir().unwrap();
        let starting = Launch::on(data.path()).spawn();
        std::thread::sleep(Duration::from_millis(4 * after));
        starting.kill();
        let process = Launch::on(data.path()).start();
        let site = Site::new(process.address(), data.path());
        let token = site.token().await.unwrap();
        assert!(
            !token.is_empty(),
            "killed after {after}: the first credentials do not work"
        );
    }
}

/// Opens the data in this process, checks every record, and asks for everything that was ever answered.
async fn everything_is_there(load: &Load, data: &Path) {
    let inside = Inside::open(data, Arc::new(RealDisk)).await.unwrap();
    inside.appliance.store().check().unwrap();
    let lost = load.verify(&Site::new(inside.address, data), true).await;
    assert!(lost.is_empty(), "{lost:#?}");
    inside.appliance.store().check().unwrap();
    inside.close().await;
}
