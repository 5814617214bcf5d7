//! `/security/talkdesk/refresh_token` and `/security/nice/refresh_token`: a vendor's token renewed on behalf of one of
//! the caller's applications, whose secret the caller never sees.

use std::sync::Arc;

use hyper::Method;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::Appliance;
use crate::domain::applications::Kind;
use crate::domain::ports::{TokenRefresh, Upstreams};
use crate::domain::upstream;
use crate::kernel::Secret;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([
        warp::path!("talkdesk" / "refresh_token")
            .and(call("/security/talkdesk/refresh_token"))
            .then(|call| refresh(call, &TALKDESK))
            .boxed(),
        warp::path!("nice" / "refresh_token")
            .and(call("/security/nice/refresh_token"))
            .then(|call| refresh(call, &NICE))
            .boxed(),
    ])
}

/// Whose tokens are renewed.
struct Vendor {
    kind: Kind,
    of: fn(&Upstreams) -> &Arc<dyn TokenRefresh>,
}

static TALKDESK: Vendor = Vendor {
    kind: Kind::TalkdeskOpenId,
    of: |upstreams| &upstreams.talkdesk,
};

static NICE: Vendor = Vendor {
    kind: Kind::NiceCxoneOpenId,
    of: |upstreams| &upstreams.nice,
};

/// The contract's schema says text and its prose says what a token endpoint answers: the vendor's object goes through.
async fn refresh(call: Call, vendor: &'static Vendor) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run_around(
        move |cx, call| {
            let caller = call.caller(cx)?;
            let body = call.json()?;
            let token = Secret::new(body.required_text("refresh_token")?.to_owned());
            if token.expose().is_empty() {
                return Err(Problem::bad_request("refresh_token is empty"));
            }
            let account = upstream::refresh_plan(cx, &caller, vendor.kind)?;
            Ok((account, token))
        },
        move |on, (account, token)| async move {
            let asked = (vendor.of)(on.upstreams());
            asked.refresh(&account, &token).await
        },
        |_, _, answer| json(&upstream::renewed(answer)?),
    )
    .await
}
