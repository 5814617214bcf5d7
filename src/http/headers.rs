//! Headers every answer carries, whatever the route: the request's id and what browsers must not do with it.

use hyper::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::kernel::RequestId;

/// Adds what a route left out. `tls` says whether the connection is encrypted (RFC 6797 §7.2).
pub(super) fn complete(headers: &mut HeaderMap, request: &RequestId, tls: bool) {
    if let Ok(id) = HeaderValue::from_str(request.as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
