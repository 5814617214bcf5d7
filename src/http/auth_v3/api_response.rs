//! The answer every operation of contract B gives that has no schema of its own: `ApiResponse`.

use serde::Serialize;

use super::super::call::json;
use super::super::{Problem, Response};

/// The published schema. `status` is all that is required of it.
#[derive(Serialize)]
struct ApiResponse<D> {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
}

/// It is done, and there is nothing more to say.
pub(super) fn done() -> Result<Response, Problem> {
    written(None::<()>)
}

/// It is done, and this came of it.
pub(super) fn with_data(data: impl Serialize) -> Result<Response, Problem> {
    written(Some(data))
}

fn written(data: Option<impl Serialize>) -> Result<Response, Problem> {
    let status = Status { code: 0 };
    json(&ApiResponse { status, data })
}
