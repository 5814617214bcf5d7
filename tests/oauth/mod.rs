//! OAuth 2.0 at both fronts, one file a standard; a test's name begins with the rule's id.

mod flow;
