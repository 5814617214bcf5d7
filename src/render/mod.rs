//! Values → bytes: each file writes one format, to one standard, and decides nothing.
//!
//! Calendar files follow RFC 5545 and RFC 5546; add-event links follow what each calendar service reads; pages are HTML
//! under a strict content security policy; one-time codes have a text for every channel. It may see values of the domain,
//! and must not know requests, stores or clocks.

pub mod calendar_links;
pub mod html;
pub mod ics;
pub mod messages;
