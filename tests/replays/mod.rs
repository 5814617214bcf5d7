//! What official clients really send, byte for byte, one file per client, and what each reads of the answer.

mod ios_sdk;
mod postman;
mod python_requests;
