//! Admit: tickets, tokens, one-time codes, keys and calendar invitations from one binary, with its own storage and its
//! own TLS.
//!
//! # The map
//!
//! Features inside, audiences outside, one direction.
//!
//! | Folder | What is in it | May use |
//! |---|---|---|
//! | [`kernel`] | the vocabulary: ids, secrets, instants, chance, strict JSON | nothing of ours |
//! | [`crypto`] | algorithms behind narrow functions | kernel |
//! | [`store`] | typed tables, transactions, the commit barrier | kernel, `crypto::seal` |
//! | [`domain`] | what is true: features, their rules and records | kernel, crypto, store |
//! | [`render`] | values to bytes: calendars, pages | kernel, domain's values |
//! | [`config`] | what an operator sets | kernel, `domain::policy` |
//! | [`http`] | who reaches us, over the network or by the operator's socket, and in which words we answer | kernel, domain, render |
//! | [`adapters`] | reaching others | kernel |
//! | [`upkeep`] | the operator's orders: state, backups, checks and repairs | kernel, crypto, store, domain, config |
//! | [`jobs`] | the background loops | domain, upkeep |
//! | [`compose`] | a [`config::Config`] becomes a running appliance | everything but `http`, `cli` and `standins` |
//! | [`standins`] | imitations of what we reach, for trials and tests | kernel, http |
//! | [`cli`] | the command line | config, compose, jobs, http; one command alone standins |
//!
//! `tests/architecture.rs` fails when an arrow points the wrong way. Decisions and their reasons are in `decisions`.
//!
//! # Where to start reading
//!
//! [`http`] lists the routes; follow one endpoint through `http/call.rs` into [`domain::tickets`] and down to
//! [`store::Tx`]. A ticket becomes a token in `domain/oauth/grants/ticket.rs`. A person's sign-in begins in
//! `http/fronts/authorize.rs`, passes `http/pages/sign_in.rs` and [`domain::sign_in`], and becomes tokens in
//! `domain/oauth/grants/authorization_code.rs`.
//!
//! # Words
//!
//! A *ticket* is *redeemed* for tokens; one that may be used once is then *spent*. It can be *revoked* for good or
//! *disabled* for now; its *standing* says whether it can be used. A *caller* has proved who it is; the *operator* is
//! whoever holds the machine. Everything belongs to an *organization*.
//!
//! A *verification* is one code that was asked for; its *messages* leave by the *outbox* with *couriers*, and it is
//! *held* while it pays for something. A *client* is software, a *user* a person with an account, a *customer* whoever
//! came with a ticket. A *front* is the door a request came through, and an issuer. A *session* is a browser somebody
//! signed in with; a *sign-in* is what one grant began, its tokens and their *family* of refresh tokens. Whatever was
//! issued under an older *epoch* of its user is dead. A value is *sealed* when it is encrypted under the master key,
//! and a *digest* is what the store keeps instead of a secret.

pub mod adapters;
pub mod cli;
pub mod compose;
pub mod config;
pub mod crypto;
#[cfg(doc)]
pub mod decisions;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod kernel;
pub mod render;
pub mod standins;
pub mod store;
pub mod upkeep;
