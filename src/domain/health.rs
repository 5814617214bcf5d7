//! Why the appliance should be asked nothing for now, in words: what readiness says and an operator's check repeats.

use super::Appliance;

/// Everything that keeps requests from being answered as they should be; nothing when it is well. It names no record,
/// because strangers read it.
pub fn troubles(on: &Appliance) -> Vec<String> {
    on.store().trouble().into_iter().collect()
}
