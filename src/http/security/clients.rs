//! The clients of an organization.

use std::sync::Arc;

use super::super::{Routes, any};
use crate::domain::Appliance;

pub(super) fn routes(_on: &Arc<Appliance>) -> Routes {
    any([])
}
