//! The figures of this process in the `OpenMetrics` text form, which Prometheus reads.
//!
//! What happens often is counted where it happens; everything else is looked up when somebody asks.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Ops;
use crate::domain::otp::outbox;
use crate::domain::ports::Channel;
use crate::domain::{Appliance, tables};
use crate::kernel::{Clock as _, Fault, SystemClock, Timestamp};

/// The kind of text it is.
pub(super) const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A name and its value.
type Label = (&'static str, &'static str);
type Level = Gauge<f64, AtomicU64>;

/// What is counted while it happens.
struct Counted {
    started: Timestamp,
    requests: Family<[Label; 3], Counter>,
    request_seconds: Family<[Label; 1], Histogram>,
    writes: Counter,
    barrier_seconds: Histogram,
    batch_writes: Histogram,
}

static COUNTED: LazyLock<Counted> = LazyLock::new(|| Counted {
    started: SystemClock.now(),
    requests: Family::default(),
    request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
    writes: Counter::default(),
    barrier_seconds: Histogram::new(BARRIER_SECONDS),
    batch_writes: Histogram::new(BATCH_WRITES),
});

const REQUEST_SECONDS: [f64; 11] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
const BARRIER_SECONDS: [f64; 10] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0,
];
const BATCH_WRITES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0];

/// One request was answered, or given up.
pub(in crate::http) fn request(
    method: &'static str,
    route: &'static str,
    status: Option<StatusCode>,
    took: Duration,
) {
    let class = match status.map_or(4, |status| status.as_u16() / 100) {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    let labels = [("method", method), ("route", route), ("status", class)];
    COUNTED.requests.get_or_create(&labels).inc();
    let seconds = COUNTED.request_seconds.get_or_create(&[("route", route)]);
    seconds.observe(took.as_secs_f64());
}

/// Counts the store's passes from now on.
pub(super) fn watch(on: &Appliance) {
    LazyLock::force(&COUNTED);
    on.store().on_pass(Box::new(|took, writes| {
        COUNTED.barrier_seconds.observe(took.as_secs_f64());
        if writes > 0 {
            COUNTED.writes.inc_by(writes);
            let batch = u32::try_from(writes).unwrap_or(u32::MAX);
            COUNTED.batch_writes.observe(f64::from(batch));
        }
    }));
}

/// Everything, as it is now.
pub(super) fn text(on: &Appliance, ops: &Ops) -> Result<String, Fault> {
    let mut registry = Registry::default();
    requests(&mut registry);
    happened(&mut registry, on);
    store(&mut registry, on, &ops.data);
    process(&mut registry, on, ops);
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Fault::internal("the figures as text").because(error))?;
    Ok(text)
}

fn requests(registry: &mut Registry) {
    registry.register(
        "admit_requests",
        "Requests answered, by method, template of the path and class of the status",
        COUNTED.requests.clone(),
    );
    registry.register(
        "admit_request_seconds",
        "From a request's arrival to the last byte of its answer",
        COUNTED.request_seconds.clone(),
    );
}

fn happened(registry: &mut Registry, on: &Appliance) {
    let tallies = [
        (
            "event",
            "action",
            "admit_events",
            "Security events written to the audit",
        ),
        (
            "token",
            "grant",
            "admit_tokens_issued",
            "Access tokens issued at the token endpoints",
        ),
        (
            "ticket_refused",
            "reason",
            "admit_tickets_refused",
            "Tickets presented and refused",
        ),
        ("sign_in", "result", "admit_sign_ins", "Passwords judged"),
    ];
    for (kind, label, name, help) in tallies {
        let family = Family::<[Label; 1], Counter>::default();
        for (what, _, count) in on.tally().of(kind) {
            family.get_or_create(&[(label, what)]).inc_by(count);
        }
        registry.register(name, help, family);
    }
    let messages = Family::<[Label; 2], Counter>::default();
    for (channel, outcome, count) in on.tally().of("message") {
        let outcome = outcome.strip_prefix("code.").unwrap_or(outcome);
        let labels = [("channel", channel), ("outcome", outcome)];
        messages.get_or_create(&labels).inc_by(count);
    }
    registry.register(
        "admit_messages",
        "Messages with one-time codes that are over, by channel and outcome",
        messages,
    );
    let waiting = Family::<[Label; 1], Gauge>::default();
    for (channel, name) in Channel::ALL {
        if let Ok(count) = outbox::waiting(&on.own_context(), channel) {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            waiting.get_or_create(&[("channel", name)]).set(count);
        }
    }
    registry.register(
        "admit_messages_waiting",
        format!(
            "Messages with one-time codes that are still to be taken away, by channel; at most {} of each are counted",
            outbox::COUNTED_MAX
        ),
        waiting,
    );
    let attempts = Counter::<u64>::default();
    attempts.inc_by(on.egress().count());
    registry.register(
        "admit_egress_attempts",
        "Attempts to reach somebody outside",
        attempts,
    );
}

fn store(registry: &mut Registry, on: &Appliance, data: &Path) {
    registry.register(
        "admit_store_writes",
        "Transactions made durable",
        COUNTED.writes.clone(),
    );
    registry.register(
        "admit_store_barrier_seconds",
        "How long applying, flushing and syncing one batch took",
        COUNTED.barrier_seconds.clone(),
    );
    registry.register(
        "admit_store_batch_writes",
        "Transactions that shared one batch",
        COUNTED.batch_writes.clone(),
    );
    let is_failed = u32::from(on.store().is_failed());
    level(
        registry,
        "admit_store_failed",
        "1 when the disk has failed and nothing is written any more",
        is_failed.into(),
    );
    let has_trouble = u32::from(on.store().trouble().is_some());
    level(
        registry,
        "admit_store_trouble",
        "1 when nothing new is kept: a failed or full disk, or damage",
        has_trouble.into(),
    );
    let records = Family::<[Label; 1], Gauge>::default();
    for (table, _, _) in tables::ALL {
        // One that is damaged has no figure; the others have theirs.
        let Ok(count) = on.store().view().count_named(table) else {
            continue;
        };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        records.get_or_create(&[("table", *table)]).set(count);
    }
    registry.register("admit_store_records", "Records, by table", records);
    if let Ok(disk) = rustix::fs::statvfs(data) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        level(
            registry,
            "admit_store_free_bytes",
            "Room left where the store is",
            wide(free),
        );
        level(
            registry,
            "admit_store_free_inodes",
            "Files that can still be made where the store is",
            wide(disk.f_favail),
        );
    }
}

fn process(registry: &mut Registry, on: &Appliance, ops: &Ops) {
    let certificate = ops
        .certificate
        .as_ref()
        .and_then(|certificate| certificate.ends_at());
    let levels = [
        (
            "admit_certificate_end_timestamp_seconds",
            "When the certificate it serves with ends",
            certificate.map(seconds),
        ),
        (
            "admit_backup_timestamp_seconds",
            "When the newest scheduled backup was made that was verified",
            (ops.backup)().map(seconds),
        ),
        (
            "admit_clock_lag_seconds",
            "How far the machine's clock is behind the last instant used",
            Some(on.clock_lag().as_secs_f64()),
        ),
        (
            "process_start_time_seconds",
            "When the process started",
            Some(seconds(COUNTED.started)),
        ),
        (
            "process_resident_memory_bytes",
            "Memory in use",
            resident().map(wide),
        ),
        (
            "process_open_fds",
            "Files and sockets that are open",
            fs::read_dir("/proc/self/fd")
                .ok()
                .map(|all| wide(all.count() as u64)),
        ),
    ];
    for (name, help, value) in levels {
        if let Some(value) = value {
            level(registry, name, help, value);
        }
    }
    let build = Family::<[Label; 1], Gauge>::default();
    build
        .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
        .set(1);
    registry.register("admit_build_info", "The version of the program", build);
}

fn level(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Level::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(at: Timestamp) -> f64 {
    wide(u64::try_from(at.seconds()).unwrap_or(0))
}

/// Large numbers lose their last digits; nobody looks at those.
#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn wide(number: u64) -> f64 {
    number as f64
}

/// The memory in use, as the kernel counts it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
