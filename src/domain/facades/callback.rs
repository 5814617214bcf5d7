//! A callback at Genesys Cloud with a ticket for it: planned, asked for, settled.
