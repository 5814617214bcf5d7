//! The black-box tests, in one binary.
//!
//! | Module | What it shows |
//! |---|---|
//! | `architecture` | which folder may use which, and other habits the compiler does not check |
//! | `attacks` | the abuses of the threat table's OAuth part, named by its rows |
//! | `audit` | every change is recorded with it; what is changed in the audit is noticed, here and in an exported copy |
//! | `auth_v3` | one file per path of the Genesys contract |
//! | `canaries` | secrets leave at the one documented moment: a whole run, and then every place looked at |
//! | `bad_days` | what goes wrong around it is told in words, and changes nothing |
//! | `backup` | backups made, verified, restored and kept on schedule, and the copy from before an upgrade |
//! | `clients` | relying parties and a browser that are not ours, as processes: login, refresh, logout, other sites |
//! | `cli` | the operator's commands on a running server and on a stopped store: the same answers, the same records |
//! | `contract` | `contract/endpoints.txt` against the live routes: each path, method and status |
//! | `couriers` | one-time codes on their way out: a mail server, a gateway and files receive them as they were meant |
//! | `crash` | kill the process at any instant: what was answered is still there |
//! | `damage` | damaged files: a refusal that names the place, or everything as it was |
//! | `disk` | a disk that fails: no false success, and a clean start after |
//! | `epoch` | nothing comes back to life from a backup or an older copy of the data folder |
//! | `full_disk` | no room: what is there is read, rights are taken away, and it goes on by itself |
//! | `jobs` | the background loop under a moving clock |
//! | `keys` | key pairs before `ssh-keygen`, OpenSSL, paramiko and a real `sshd`, hostile keys, and a flood of requests |
//! | `metrics` | health, readiness and figures: who may read them, and that a parser and the dashboard agree |
//! | `oauth` | OAuth 2.0 at both fronts, one file a standard; names begin with the rule's id |
//! | `offline` | an appliance that is to stay alone opens no connection, and the ledger of one that is not |
//! | `outbox` | messages on their way: nobody waits for them, they are tried again, and kept where nobody delivers |
//! | `package` | the Debian package in a booted system: green, hardened, killed, upgraded, purged |
//! | `pages` | the pages people see: what comes after each form, and what is told in words |
//! | `people` | passwords: one answer, guessing held down, changing ends what it must |
//! | `oidc` | OpenID Connect, introspection and revocation, one file per endpoint |
//! | `power` | the plug is pulled: what was answered is on the disk, what was spent stays spent |
//! | `race` | many clients, one ticket, one code, one refresh token: one winner, also when the process is killed meanwhile |
//! | `readme` | the README's commands work as printed, and it mentions every setting and command |
//! | `redirects` | hundreds of values that look like a registered redirect URI and match nothing |
//! | `replays` | what official clients really send, byte for byte, one file per client |
//! | `security` | one file per resource of the Auvious contract |
//! | `signing` | signing keys under a moving clock, through restarts and failures, and removed in an emergency |
//! | `slow` | thousands of slow and silent connections, and descriptors running out |
//! | `standins` | the imitations of upstreams: the vendors' own SDKs take them for real, and they fail when told to |
//! | `start` | how fast it starts, how little it needs, how it stops, and what its log never shows |
//! | `support` | a real server in this process or as one of its own, and clients for it |
//! | `systemd` | what systemd hears and passes: readiness, reloads, life, leaving, sockets |
//! | `tls` | certificates replaced under load, versions and key agreement, and what scanners that are not ours find |
//! | `tour` | the whole job as `admit tour` walks it, and what it says of a server that answers differently |
//! | `upgrade` | every record version ever released still opens |

// Clippy relaxes its lints in what is compiled only for tests, which all of this is.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod auth_v3;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bad_days;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod couriers;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod epoch;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod package;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod people;
#[cfg(test)]
mod power;
#[cfg(test)]
mod race;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod security;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod standins;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tour;
#[cfg(test)]
mod upgrade;
