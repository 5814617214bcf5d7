//! The audit: every change is in it, in the same transaction; what is changed in it afterwards is noticed, by us and by
//! whoever holds an exported copy (security.md D12, G15).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use admit::compose::{World, compose};
use admit::config::{Config, MasterKeySource};
use admit::domain::access::By;
use admit::domain::admin::organization;
use admit::domain::audit::{self, Asked, Reader};
use admit::kernel::{Digest, Timestamp};
use admit::store::{Disk, FaultyDisk, RealDisk, Record, Store, Table, Verdict};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::server::Server;

/// An event as the store has it; whoever holds the master key can write one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    action: String,
    by: String,
    to: String,
    organization: Option<String>,
    request: String,
    network: Option<String>,
    chain: Digest,
}

impl Record for Stored {
    const VERSION: u8 = 1;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Signed {
    first_at: Timestamp,
    last_at: Timestamp,
    statement: String,
    signature: Vec<u8>,
}

impl Record for Signed {
    const VERSION: u8 = 1;
}

const AUDIT: Table<(Timestamp, u64), Stored> = Table::named("audit");
const SIGNED: Table<u64, Signed> = Table::named("audit_signed");

/// A server whose audit has this many events at least, all of them signed.
async fn audited(events: u64) -> Server {
    let server = Server::start().await;
    let cx = server.appliance.own_context();
    let by = By::operator();
    for number in 0..events {
        organization::create(&cx, &by, &format!("organization {number}")).unwrap();
    }
    audit::sign(&cx).unwrap();
    server.settle(&cx);
    server
}

fn verified(server: &Server) -> Result<audit::Verified, String> {
    let cx = server.appliance.own_context();
    audit::verify(&cx, &|_, _| {}).map_err(|error| error.to_string())
}

fn change(store: &Store, body: impl Fn(&admit::store::Tx<'_>)) {
    let written = store.write::<(), ()>(|tx| {
        body(tx);
        Ok(Verdict::Commit(()))
    });
    store.durable(written.unwrap().mark).wait().unwrap();
}

#[tokio::test]
async fn g15_an_edited_missing_moved_or_added_event_is_named() {
    let server = audited(30).await;
    let whole = verified(&server).unwrap();
    assert!(whole.events > 30 && whole.heads > 0, "{whole:?}");
    assert_eq!(whole.unsigned, 1, "only that the rest was signed");
    let store = server.appliance.store();
    let all = store.view().scan(&AUDIT, None, 1_000).unwrap();
    for (place, event) in &all {
        let number = place.1;
        let edits: [fn(&mut Stored); 7] = [
            |event| event.action.push('x'),
            |event| event.by = "somebody else".to_owned(),
            |event| event.to.push('x'),
            |event| event.organization = Some("another".to_owned()),
            |event| event.request.push('x'),
            |event| event.network = Some("10.0.0.0/24".to_owned()),
            |event| event.chain = Digest::from_bytes([7; 32]),
        ];
        for (which, edit) in edits.iter().enumerate() {
            let mut edited = event.clone();
            edit(&mut edited);
            change(store, |tx| tx.put(&AUDIT, place, &edited).unwrap());
            let why = verified(&server).unwrap_err();
            let told = format!("event {number} of ");
            assert!(why.contains(&told), "{number}/{which}: {why}");
        }
        change(store, |tx| assert!(tx.remove(&AUDIT, place).unwrap()));
        let why = verified(&server).unwrap_err();
        assert!(why.contains(&format!("event {number} is missing")), "{why}");
        change(store, |tx| tx.put(&AUDIT, place, event).unwrap());
    }
    for pair in all.windows(2) {
        let [(a, first), (b, second)] = pair else {
            continue;
        };
        change(store, |tx| {
            tx.put(&AUDIT, a, second).unwrap();
            tx.put(&AUDIT, b, first).unwrap();
        });
        assert!(
            verified(&server).is_err(),
            "{} and {} trade places",
            a.1,
            b.1
        );
        change(store, |tx| {
            tx.put(&AUDIT, a, first).unwrap();
            tx.put(&AUDIT, b, second).unwrap();
        });
    }
    let (place, event) = all.last().unwrap();
    let further = (place.0, place.1 + 1);
    change(store, |tx| tx.put(&AUDIT, &further, event).unwrap());
    assert!(verified(&server).is_err(), "one too many");
    change(store, |tx| assert!(tx.remove(&AUDIT, &further).unwrap()));
    assert_eq!(verified(&server).unwrap(), whole);
}

#[tokio::test]
async fn g15_a_past_written_anew_with_the_master_key_does_not_bear_our_signature() {
    let server = audited(3).await;
    let store = server.appliance.store();
    let (_, head) = store.view().scan(&SIGNED, None, 1).unwrap().pop().unwrap();
    let bent: [fn(&mut Signed); 3] = [
        |head| head.statement = head.statement.replacen("events 0", "events 1", 1),
        |head| head.signature[0] ^= 1,
        |head| head.statement.push('\n'),
    ];
    for bend in bent {
        let mut other = head.clone();
        bend(&mut other);
        change(store, |tx| tx.put(&SIGNED, &1, &other).unwrap());
        let why = verified(&server).unwrap_err();
        assert!(why.contains("signed head 1 does not bear"), "{why}");
    }
    change(store, |tx| assert!(tx.remove(&SIGNED, &1).unwrap()));
    let why = verified(&server).unwrap_err();
    assert!(why.contains("signed head 1 is missing"), "{why}");
}

#[tokio::test]
async fn heads_are_signed_by_number_and_by_time_and_not_for_themselves() {
    let server = audited(1).await;
    let signed = || verified(&server).unwrap().heads;
    let keep = || {
        let cx = server.appliance.own_context();
        audit::keep(&cx).unwrap();
        server.settle(&cx);
    };
    let begun = signed();
    server.advance(Duration::from_hours(30));
    keep();
    assert_eq!(signed(), begun, "nothing happened since");
    server.found("one more");
    keep();
    assert_eq!(signed(), begun, "it can wait");
    server.advance(Duration::from_hours(1));
    keep();
    assert_eq!(signed(), begun + 1);
    let cx = server.appliance.own_context();
    for number in 0..2_100 {
        let name = format!("crowd {number}");
        organization::create(&cx, &By::operator(), &name).unwrap();
    }
    server.settle(&cx);
    keep();
    assert_eq!(signed(), begun + 3, "a thousand at a time");
    let events = audit::latest(
        &cx,
        &Asked {
            limit: 5_000,
            ..Asked::default()
        },
    )
    .unwrap()
    .0;
    let in_order = events
        .windows(2)
        .all(|two| two[0].sequence + 1 == two[1].sequence);
    assert!(in_order && events[0].sequence == 0);
}

#[tokio::test]
async fn an_export_signs_what_there_was_when_it_was_asked_for_however_busy_the_server() {
    let server = audited(1).await;
    let cx = server.appliance.own_context();
    let begun = verified(&server).unwrap().heads;
    let (is_over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let heads = thread::scope(|scope| {
        scope.spawn(|| {
            // Each waits for the disk, as a caller does; the bound ends what would never end.
            for number in 0..2_000 {
                let cx = server.appliance.own_context();
                let name = format!("busy {number}");
                organization::create(&cx, &By::operator(), &name).unwrap();
                server.settle(&cx);
                written.fetch_add(1, Ordering::SeqCst);
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        while written.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        let heads = audit::sign(&cx);
        is_over.store(true, Ordering::SeqCst);
        heads.unwrap()
    });
    // Those before the first wait may be more than one head covers.
    assert!((begun + 1..=begun + 3).contains(&heads), "{begun} {heads}");
}

/// Everything of the audit as the command line exports it.
fn exported(server: &Server) -> String {
    let cx = server.appliance.own_context();
    let heads = audit::sign(&cx).unwrap();
    let mut text = String::new();
    for number in 1..=heads {
        let part = audit::part(&cx, number).unwrap().unwrap();
        if number == 1 {
            text.push_str(&part.first_line().unwrap());
        }
        text.extend(part.events.iter().map(String::as_str));
        text.push_str(&part.last_line().unwrap());
    }
    text
}

fn read(text: &str) -> Result<audit::Exported, String> {
    let mut reader = Reader::default();
    for line in text.split_inclusive('\n') {
        reader.line(line)?;
    }
    reader.end()
}

#[tokio::test]
async fn g15_an_exported_copy_is_checked_without_us_and_no_line_of_it_can_be_changed() {
    let server = audited(8).await;
    server.found("later");
    let text = exported(&server);
    let held = read(&text).unwrap();
    let ours = verified(&server).unwrap();
    assert_eq!(
        (Some(held.key), Some(held.last_head)),
        (ours.key, ours.last_head)
    );
    assert_eq!(held.heads, ours.heads);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let mut without = lines.clone();
        without.remove(at);
        // A copy that ends at an earlier head is whole as far as it goes, and says how far.
        let is_end = at + 1 == lines.len();
        assert!(
            is_end || read(&without.concat()).is_err(),
            "without line {at}"
        );
        let middle = line.len() / 2;
        let mut bent = (*line).as_bytes().to_vec();
        bent[middle] = if bent[middle] == b'0' { b'1' } else { b'0' };
        let bent = String::from_utf8(bent).unwrap();
        let mut changed = lines.clone();
        changed[at] = &bent;
        assert!(read(&changed.concat()).is_err(), "line {at}: {bent}");
        if at > 0 {
            let mut moved = lines.clone();
            moved.swap(at - 1, at);
            assert!(read(&moved.concat()).is_err(), "line {at} moved");
        }
    }
    openssl_agrees(&text);
}

/// As somebody would who has nothing of ours: the lines' digest by `sha256sum`, the signature by OpenSSL.
fn openssl_agrees(export: &str) {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("export"), export).unwrap();
    let script = r#"
        head -n 1 export | jq -j .key > key.pem
        grep -n '^{"head"' export | head -n 1 | cut -d: -f1 > at
        sed -n "$(cat at)p" export | jq -j .head > statement
        sed -n "$(cat at)p" export | jq -j .signature | xxd -r -p > signature
        openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in statement -sigfile signature
        sed -n "2,$(( $(cat at) - 1 ))p" export | sha256sum | cut -d' ' -f1 > sum
        grep -qx "sha256 $(cat sum)" statement
        printf x >> statement
        ! openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in statement -sigfile signature
    "#;
    let script = script.replace(
        "xxd -r -p",
        "python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'",
    );
    let run = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
}

#[tokio::test]
async fn a_chain_of_the_first_version_goes_on() {
    // The event before was written by a version that kept no instant with the end of the chain.
    #[derive(Serialize, Deserialize)]
    struct OldHead {
        sequence: u64,
        chain: Digest,
    }
    impl Record for OldHead {
        const VERSION: u8 = 1;
    }
    const HEAD: Table<u8, OldHead> = Table::named("audit_head");
    let server = audited(2).await;
    let store = server.appliance.store();
    let (place, last) = store
        .view()
        .scan_back(&AUDIT, None, 1)
        .unwrap()
        .pop()
        .unwrap();
    let old = OldHead {
        sequence: place.1,
        chain: last.chain,
    };
    change(store, |tx| tx.put(&HEAD, &0, &old).unwrap());
    server.found("by a newer version");
    assert_eq!(verified(&server).unwrap().events, place.1 + 2);
}

#[tokio::test]
async fn g15_nothing_is_changed_that_cannot_be_recorded() {
    let server = audited(1).await;
    let store = server.appliance.store();
    let head: Table<u8, Stored> = Table::named("audit_head");
    // The end of the chain is not readable any more: no event can be written after it.
    let (_, event) = store.view().scan(&AUDIT, None, 1).unwrap().pop().unwrap();
    change(store, |tx| tx.put(&head, &0, &event).unwrap());
    let client = Client::of(&server);
    let before = server.counts();
    let token = client.bearer(&server.first_client()).await;
    for path in [
        "/security/ticket",
        "/security/clients",
        "/security/applications",
    ] {
        let body = serde_json::json!({"type": "SINGLE_USE_TICKET", "properties": {}});
        let answer = client.post(path).bearer(&token).json(&body).send().await;
        assert!(answer.status >= 400, "{path}: {}", answer.text);
    }
    let cx = server.appliance.own_context();
    organization::create(&cx, &By::operator(), "nobody's").unwrap_err();
    let told = |counts: Vec<(String, u64)>| -> Vec<(String, u64)> {
        counts
            .into_iter()
            .filter(|(name, _)| name != "clock" && name != "clients_seen")
            .collect()
    };
    assert_eq!(told(server.counts()), told(before));
}

/// What may change without an event is decided in few places; each says in its own words why.
#[test]
fn few_places_write_without_a_word_in_the_audit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let calls = ["cx.write_unrecorded(", "cx.make_room("]
                .iter()
                .map(|call| text.matches(call).count())
                .sum();
            found.extend(std::iter::repeat_n(name, calls));
        }
    }
    found.sort();
    let expected = [
        "oauth/grants/refresh_token.rs",
        "otp/outbox.rs",
        "sessions/mod.rs",
        "sweep.rs",
    ];
    assert_eq!(found, expected);
}

const FAILURES: u64 = 200;
const CHANGES: usize = 60;

#[test]
fn heavy_g15_wherever_the_disk_fails_there_is_a_change_for_every_record_and_a_record_for_every_change()
 {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        data: data.path().to_owned(),
        master_key: MasterKeySource::File(data.path().join("master.key")),
        ..Config::default()
    };
    let open = |disk: Arc<dyn Disk>| {
        let world = World {
            disk,
            ..World::real()
        };
        compose(&config, 8443, world).map(|composed| composed.appliance)
    };
    let mut tried = 0;
    for n in 1..=FAILURES {
        if let Ok(appliance) = open(Arc::new(FaultyDisk::failing_at(n))) {
            for number in 0..CHANGES {
                let cx = appliance.own_context();
                let name = format!("organization {n} {number}");
                let made = organization::create(&cx, &By::operator(), &name);
                // Some wait for the disk as requests do, some do not.
                let waited =
                    (number % 7 == 0).then(|| appliance.store().durable(cx.awaited()).wait());
                tried += 1;
                if made.is_err() || matches!(waited, Some(Err(_))) {
                    break;
                }
            }
        }
        let appliance = open(Arc::new(RealDisk)).unwrap();
        let cx = appliance.own_context();
        audit::verify(&cx, &|_, _| {}).unwrap_or_else(|error| panic!("{n}: {error}"));
        let counts = appliance.store().check().unwrap();
        let count = |table: &str| {
            let found = counts.iter().find(|(name, _)| name == table);
            found.map_or(0, |(_, count)| *count)
        };
        let mut founded = 0;
        let (mut cursor, asked) = (
            None,
            Asked {
                action: Some("organization.founded".to_owned()),
                ..Asked::default()
            },
        );
        loop {
            let (events, end) = audit::after(&cx, &asked, cursor).unwrap();
            founded += events.len() as u64;
            if end == cursor {
                break;
            }
            cursor = end;
        }
        // The first one is part of the installation.
        assert_eq!(count("organizations"), founded + 1, "{n}");
    }
    println!("{tried} changes on {FAILURES} disks that failed: each with its record, none without");
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn heavy_a_hundred_thousand_events_are_verified_without_holding_them() {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        data: data.path().to_owned(),
        master_key: MasterKeySource::File(data.path().join("master.key")),
        ..Config::default()
    };
    let appliance = compose(&config, 8443, World::real()).unwrap().appliance;
    let cx = appliance.own_context();
    let new = organization::create(&cx, &By::operator(), "one").unwrap();
    for number in 0..100_000 {
        organization::rename(
            &cx,
            &By::operator(),
            &new.id,
            &format!("name {}", number % 7),
        )
        .unwrap();
    }
    audit::sign(&cx).unwrap();
    let before = resident();
    let since = Instant::now();
    let whole = audit::verify(&cx, &|_, _| {}).unwrap();
    let (took, grown) = (since.elapsed(), resident().saturating_sub(before));
    println!(
        "{} events, {} heads: {took:?}, {grown} KiB more",
        whole.events, whole.heads
    );
    assert!(whole.events > 100_000 && whole.heads > 100);
    assert!(
        took < Duration::from_secs(20) && grown < 80 * 1024,
        "{took:?} {grown}"
    );
}

/// This process's memory in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
