//! What keeps an appliance well over the years: its state at a glance, backups, checks and repairs. It is where the
//! operator's orders are carried out, on a running server and on a stopped store alike (decision 0010).
//!
//! Facts and rules are the domain's; this adds what concerns the machine: files, folders, the configuration. It knows
//! neither HTTP nor the command line.

mod audit;
pub mod backup;
pub mod doctor;
pub mod egress;
pub mod restore;
pub mod shares;
pub mod status;
pub mod storage;
pub mod upgrade;

mod files;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::Appliance;
use crate::domain::admin::{self, AdminCommand, AdminReply, Verified};
use crate::kernel::{Fault, Timestamp};

/// What the operator orders. It travels as JSON from one copy of the program to another of the same version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Something about the facts: organizations, clients, people, tickets and so on.
    Admin(AdminCommand),
    /// How the appliance is.
    Status,
    /// Who was asked outside.
    Egress,
    /// Everything an operator should see to.
    Doctor(doctor::Order),
    /// About backups.
    Backup(backup::Order),
    /// About the store itself.
    Store(storage::Order),
    /// Verify the whole audit.
    VerifyAudit,
}

/// What came of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// About the facts.
    Admin(AdminReply),
    /// How the appliance is.
    Status(Box<status::Status>),
    /// Who was asked outside.
    Egress(egress::Egress),
    /// What the operator should see to.
    Doctor(doctor::Findings),
    /// About backups.
    Backup(backup::Report),
    /// About the store itself.
    Store(storage::Report),
    /// The audit is whole.
    VerifiedAudit(Verified),
}

/// How the outcome is told to another copy of the program: any number of lines of progress, then one of the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// It is under way.
    Progress(Progress),
    /// It was done, and the disk has it.
    Done(Report),
    /// It was understood and refused, or not understood.
    Refused(String),
    /// Something of ours broke.
    Broken(String),
}

/// How far long work has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, such as `records written`.
    pub what: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, where that is known.
    pub of: Option<u64>,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was understood and refused: nothing is broken.
    #[error("{0}")]
    Refused(String),
    /// About the facts.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The appliance's place on this machine.
pub struct Site {
    /// How it is set up.
    pub config: Config,
    /// When the server that serves it started; `None` where nobody serves it.
    pub serving_since: Option<Timestamp>,
}

/// Somebody who is told how far long work has come. Cheap to call; whoever it is decides how often to pass it on.
pub type Teller<'a> = &'a (dyn Fn(Progress) + Sync);

/// Carries an order out and waits for the disk. It may take long: never on a request's thread.
pub fn execute(on: &Appliance, site: &Site, order: Order, tell: Teller<'_>) -> Answer {
    answer(carried_out(on, site, order, tell))
}

/// What is told of an outcome.
pub fn answer(outcome: Result<Report, Error>) -> Answer {
    match outcome {
        Ok(report) => Answer::Done(report),
        Err(error) if error.is_fault() => Answer::Broken(error.to_string()),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

fn carried_out(
    on: &Appliance,
    site: &Site,
    order: Order,
    tell: Teller<'_>,
) -> Result<Report, Error> {
    Ok(match order {
        Order::Admin(command) => {
            let cx = on.own_context();
            let outcome = admin::execute(&cx, command);
            // A refusal may have been kept as well: a guess that was counted.
            on.store().durable(cx.awaited()).wait()?;
            Report::Admin(outcome?)
        }
        Order::Status => Report::Status(Box::new(status::look(on, site)?)),
        Order::Egress => Report::Egress(egress::list(on, site)),
        Order::Doctor(order) => Report::Doctor(doctor::examine(on, site, order, tell)?),
        Order::Backup(order) => Report::Backup(backup::execute(on, site, order, tell)?),
        Order::Store(order) => Report::Store(storage::execute(on, site, order, tell)?),
        Order::VerifyAudit => Report::VerifiedAudit(audit::verify(on, tell)?),
    })
}

impl Error {
    /// Whether something of ours broke, and nothing was wrong with the order.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Admin(error) => error.is_fault(),
            Self::Fault(_) => true,
        }
    }
}
