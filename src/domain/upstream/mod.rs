//! An application's account at Genesys Cloud, Talkdesk or NICE, and what is done with it.
