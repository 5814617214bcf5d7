//! Rooms and callbacks with their tickets, in one call.

use std::sync::Arc;

use super::super::{Routes, any};
use crate::domain::Appliance;

pub(super) fn routes(_on: &Arc<Appliance>) -> Routes {
    any([])
}
