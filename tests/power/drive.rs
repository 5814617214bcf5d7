//! A drive that writes down all it is given, and what it may hold after the power was cut.
//!
//! QEMU's `blklogwrites` filter notes each write and each flush in order, in the format of Linux's dm-log-writes. A drive
//! promises that what it was given before a flush is kept once the flush is done. Of what came after the last one it may
//! have kept nothing, all of it, some writes and not others, and of a write some sectors and not others.
//!
//! What was known at an instant stands in the notes too: a mark, written past the file system's end. Whoever reads a
//! mark there knows that what it stands for had happened before.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::support::apart::{ROOM, Shown, mount, run, text, unmount};
use crate::support::load::Chance;

/// The file systems the store is put on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum System {
    Ext4,
    Xfs,
}

/// What became of the writes after the last flush.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Dropped,
    Thinned,
    Kept,
    Torn,
}

pub(crate) const MODES: [Mode; 4] = [Mode::Dropped, Mode::Thinned, Mode::Kept, Mode::Torn];

/// A drive with a file system on it, mounted.
pub(crate) struct Drive {
    qemu: Shown,
    pub(crate) disk: PathBuf,
}

/// Where marks are put.
pub(crate) struct Marks {
    file: File,
    written: u64,
}

impl Drive {
    pub(crate) fn new(system: System) -> Self {
        let (given, blank, notes) = (room(GIVEN), room(BLANK), room(NOTES));
        let disk = room("disk");
        fs::create_dir_all(&disk).unwrap();
        File::create(&blank).unwrap().set_len(SIZE + SPARE).unwrap();
        File::create(&notes).unwrap();
        let mebibytes = format!("{}m", SIZE >> 20);
        let sized = format!("size={mebibytes}");
        match system {
            System::Ext4 => run(
                "mkfs.ext4",
                &["-q", "-F", "-b", "4096", text(&blank), &mebibytes],
            ),
            System::Xfs => run("mkfs.xfs", &["-q", "-f", "-d", &sized, text(&blank)]),
        }
        copy(&blank, &given);
        let file = format!("driver=file,node-name=file,filename={}", text(&given));
        let log = format!("driver=file,node-name=log,filename={}", text(&notes));
        let shown = room("shown.img");
        let export = format!(
            "type=fuse,id=shown,node-name=noted,writable=on,mountpoint={}",
            text(&shown)
        );
        let filter = "driver=blklogwrites,node-name=noted,file=file,log=log";
        let words = [
            "--blockdev",
            &file,
            "--blockdev",
            &log,
            "--blockdev",
            filter,
            "--export",
            &export,
        ];
        let qemu = Shown::by("qemu-storage-daemon", &words, &shown);
        mount(&qemu.file, &disk);
        rustix::fs::sync();
        Self { qemu, disk }
    }

    pub(crate) fn marks(&self) -> Marks {
        let file = File::options().write(true).open(&self.qemu.file).unwrap();
        Marks { file, written: 0 }
    }

    /// Ends it; nobody may have a file open there.
    pub(crate) fn end(self) -> Notes {
        unmount(&self.disk);
        self.qemu.end();
        fs::remove_file(room(GIVEN)).unwrap();
        Notes::read()
    }
}

impl Marks {
    /// Puts the next mark, and is back when the drive has it. The first is number 0.
    pub(crate) fn put(&mut self) {
        let mut sector = [0; SECTOR_BYTES];
        sector[..8].copy_from_slice(&self.written.to_le_bytes());
        self.file.write_all_at(&sector, SIZE).unwrap();
        self.written += 1;
    }
}

/// What a drive was given.
pub(crate) struct Notes {
    file: File,
    entries: Vec<Entry>,
    /// How many of them the blank image has been given.
    applied: usize,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    /// So many bytes at this place of the drive, which stand there in the notes.
    Write {
        to: u64,
        length: u64,
        noted: u64,
    },
    Flush,
    Mark(u64),
}

impl Notes {
    fn read() -> Self {
        let file = File::open(room(NOTES)).unwrap();
        let end = file.metadata().unwrap().len();
        let number = |at: u64| {
            let mut eight = [0; 8];
            file.read_exact_at(&mut eight, at).unwrap();
            u64::from_le_bytes(eight)
        };
        assert_eq!((number(0), number(8)), (MAGIC, 1), "notes of another kind");
        let mut entries = Vec::new();
        let mut at = SECTOR;
        while at < end {
            let (to, length) = (number(at) * SECTOR, number(at + 8) * SECTOR);
            let flags = number(at + 16);
            // A loop device asks for nothing else: what is to be forced to the medium it follows with a flush.
            assert!(flags & !FLUSH == 0, "an entry of another kind: {flags}");
            let noted = at + SECTOR;
            if flags & FLUSH != 0 {
                entries.push(Entry::Flush);
            }
            if to >= SIZE {
                entries.push(Entry::Mark(number(noted)));
            } else if length > 0 {
                entries.push(Entry::Write { to, length, noted });
            }
            at = noted + length;
        }
        Self {
            file,
            entries,
            applied: 0,
        }
    }

    /// Instants to cut at, in order: a third each right after a mark, right before a flush, and anywhere; none before
    /// the first mark.
    pub(crate) fn instants(&self, count: usize, chance: &mut Chance) -> Vec<usize> {
        let places = |is: fn(&Entry) -> bool| {
            let places = self.entries.iter().enumerate().filter(|(_, e)| is(e));
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let marks = places(|entry| matches!(entry, Entry::Mark(_)));
        let flushes = places(|entry| matches!(entry, Entry::Flush));
        let first = marks[0];
        let instants = (0..).map(|n| match n % 3 {
            0 => marks[chance.below(marks.len())] + 1,
            1 => flushes[chance.below(flushes.len())],
            _ => chance.below(self.entries.len()),
        });
        let instants = instants.filter(|instant| *instant > first);
        let mut instants = instants.take(count).collect::<Vec<_>>();
        instants.sort_unstable();
        instants
    }

    /// The last mark before an instant, and an image of what the drive may hold if the power is cut there. Instants must
    /// be asked for in order.
    pub(crate) fn cut(
        &mut self,
        instant: usize,
        mode: Mode,
        chance: &mut Chance,
    ) -> (usize, PathBuf) {
        let before = &self.entries[..instant];
        let mark = before.iter().rev().find_map(|entry| match entry {
            Entry::Mark(number) => Some(usize::try_from(*number).unwrap()),
            Entry::Write { .. } | Entry::Flush => None,
        });
        let flush = before.iter().rposition(|e| matches!(e, Entry::Flush));
        let durable = flush.unwrap_or(0).max(self.applied);
        let open = |image: &Path| File::options().write(true).open(image).unwrap();
        let (blank, image) = (room(BLANK), room("cut.img"));
        let medium = open(&blank);
        for entry in &self.entries[self.applied..durable] {
            self.apply(*entry, &medium, |_| true);
        }
        copy(&blank, &image);
        let medium = open(&image);
        for entry in &self.entries[durable..instant] {
            let fate = chance.below(3);
            self.apply(*entry, &medium, |_| match mode {
                Mode::Dropped => false,
                Mode::Thinned => fate == 0,
                Mode::Kept => true,
                Mode::Torn => fate == 0 || fate == 1 && chance.below(2) == 0,
            });
        }
        self.applied = durable;
        (mark.unwrap(), image)
    }

    /// Writes those sectors that are kept.
    fn apply(&self, entry: Entry, medium: &File, mut keeps: impl FnMut(u64) -> bool) {
        let Entry::Write { to, length, noted } = entry else {
            return;
        };
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.file.read_exact_at(&mut bytes, noted).unwrap();
        let mut start = 0;
        while start < bytes.len() {
            let mut end = start;
            while end < bytes.len() && keeps(to + end as u64) {
                end += SECTOR_BYTES;
            }
            medium
                .write_all_at(&bytes[start..end], to + start as u64)
                .unwrap();
            start = end + SECTOR_BYTES;
        }
    }
}

/// Holes stay holes.
fn copy(from: &Path, to: &Path) {
    run("cp", &["--sparse=auto", text(from), text(to)]);
}

fn room(name: &str) -> PathBuf {
    Path::new(ROOM).join(name)
}

const GIVEN: &str = "given.img";
const BLANK: &str = "blank.img";
const NOTES: &str = "notes.img";
/// Room for some stores, each of which sets 64 MiB aside, with holes where nothing was written.
const SIZE: u64 = 1 << 30;
const SPARE: u64 = 1 << 20;
const SECTOR_BYTES: usize = 512;
const SECTOR: u64 = SECTOR_BYTES as u64;
const MAGIC: u64 = 0x6a_7366_7773_6872;
const FLUSH: u64 = 1;
