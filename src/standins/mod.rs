//! Local imitations of the outside world, for evaluation without a network and for our tests.
