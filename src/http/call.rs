//! A request as an endpoint sees it, and `run`: the one bridge from an endpoint to the domain and back.
//!
//! `run` alone reads the clock, catches a panic, waits for durability, logs a fault and writes a problem, so there is
//! no middleware to remember: what a route needs is in its body.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::admission::Arrival;
use super::cookies::Cookie;
use super::json::Object;
use super::{Dialect, Problem, Response, credentials, pages};
use crate::domain::access::Caller;
use crate::domain::oauth::{ClientProof, Params};
use crate::domain::{Appliance, Cx, Mark, Origin, Turns, UnderWay, tokens};
use crate::kernel::{Fault, Network};

/// A request whose path has matched, its body already here.
pub(super) struct Call {
    /// The method, which the endpoint matches on.
    pub method: Method,
    on: Arc<Appliance>,
    dialect: Dialect,
    route: &'static str,
    query: String,
    body: Bytes,
    arrival: Arrival,
}

/// The end of a route: everything of a request that its path did not say. It never rejects.
pub(super) fn call(
    on: &Arc<Appliance>,
    dialect: Dialect,
    route: &'static str,
) -> BoxedFilter<(Call,)> {
    let on = Arc::clone(on);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(query)
        .and(warp::body::bytes())
        .and(warp::ext::get::<Arrival>())
        .map(move |method, query, body, arrival: Arrival| {
            arrival.route.is(route);
            Call {
                method,
                on: Arc::clone(&on),
                dialect,
                route,
                query,
                body,
                arrival,
            }
        })
        .boxed()
}

impl Call {
    /// Runs one operation and answers once everything it changed is durable.
    pub(super) async fn run(
        self,
        operation: impl FnOnce(&Cx<'_>, &Self) -> Result<Response, Problem>,
    ) -> Response {
        let outcome = self.durably(operation).await;
        self.written(outcome)
    }

    /// The same for an operation that hashes a password: it takes its turn on a thread of its own.
    pub(super) async fn run_slow(
        self,
        operation: impl FnOnce(&Cx<'_>, &Self) -> Result<Response, Problem> + Send + 'static,
    ) -> Response {
        self.run_in_turn(Appliance::hashing, operation).await
    }

    /// The same for any operation that takes long enough to need one of these turns.
    pub(super) async fn run_in_turn(
        self,
        turns: fn(&Appliance) -> &Turns,
        operation: impl FnOnce(&Cx<'_>, &Self) -> Result<Response, Problem> + Send + 'static,
    ) -> Response {
        // Before there is a thread for it: those who are turned away cost none.
        let Some(place) = turns(&self.on).join() else {
            return self.written(Err(Problem::unavailable()));
        };
        let call = Arc::new(self);
        let own = Arc::clone(&call);
        let done = spawn_blocking(move || {
            let _turn = place.turn();
            own.operate(operation)
        });
        let (outcome, mark) = done
            .await
            .unwrap_or_else(|_| (Err(Problem::unavailable()), Mark::ZERO));
        let durable = match mark {
            Mark::ZERO => Ok(()),
            mark => call.on.store().durable(mark).await,
        };
        let outcome = durable.map_err(Problem::from).and(outcome);
        call.written(outcome)
    }

    /// The same where not everybody may have a turn: what `admit` finds is what the operation works on, and whoever it
    /// refuses never stood in the queue.
    pub(super) async fn run_in_turn_if<P: Send + 'static>(
        self,
        admit: impl FnOnce(&Cx<'_>, &Self) -> Result<P, Problem>,
        turns: fn(&Appliance) -> &Turns,
        operation: impl FnOnce(&Cx<'_>, &Self, P) -> Result<Response, Problem> + Send + 'static,
    ) -> Response {
        match self.durably(admit).await {
            Ok(admitted) => {
                let operation = |cx: &Cx<'_>, call: &Self| operation(cx, call, admitted);
                self.run_in_turn(turns, operation).await
            }
            Err(problem) => self.written(Err(problem)),
        }
    }

    /// Runs an operation that has to ask somebody outside: what `plan` found, durable, is taken to `ask`, and `settle`
    /// makes the answer of what came back. Once planned it is settled, whether or not whoever called still listens.
    pub(super) async fn run_around<P, F>(
        self,
        plan: impl FnOnce(&Cx<'_>, &Self) -> Result<P, Problem> + Send + 'static,
        ask: impl FnOnce(Arc<Appliance>, P) -> F + Send + 'static,
        settle: impl FnOnce(&Cx<'_>, &Self, F::Output) -> Result<Response, Problem> + Send + 'static,
    ) -> Response
    where
        P: Send + 'static,
        F: Future<Output: Send> + Send + 'static,
    {
        let (dialect, request) = (self.dialect, self.arrival.request.clone());
        let under_way = UnderWay::begin(&self.on);
        let whole = tokio::spawn(async move {
            let _under_way = under_way;
            let planned = match self.durably(plan).await {
                Ok(planned) => planned,
                Err(problem) => return self.written(Err(problem)),
            };
            let answer = ask(self.on(), planned).await;
            let outcome = self.durably(|cx, call| settle(cx, call, answer)).await;
            self.written(outcome)
        });
        whole.await.unwrap_or_else(|broken| {
            tracing::error!(%request, "a request around the network: {broken}");
            dialect.write(&Problem::from(Fault::internal(
                "a request around the network",
            )))
        })
    }

    /// Answers a method this path does not have.
    pub(super) fn not_allowed(&self, allowed: &'static str) -> Response {
        self.written(Err(Problem::method_not_allowed(&self.method, allowed)))
    }

    /// Answers a path nothing is at.
    pub(super) fn not_found(&self) -> Response {
        self.written(Err(Problem::not_found("there is nothing at this path")))
    }

    /// One operation and what it found, once everything it changed is durable.
    async fn durably<T>(
        &self,
        operation: impl FnOnce(&Cx<'_>, &Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let (outcome, mark) = self.operate(operation);
        if mark > Mark::ZERO {
            self.on.store().durable(mark).await?;
        }
        outcome
    }

    fn operate<T>(
        &self,
        operation: impl FnOnce(&Cx<'_>, &Self) -> Result<T, Problem>,
    ) -> (Result<T, Problem>, Mark) {
        let origin = Origin::Peer(Network::from(self.arrival.peer));
        let cx = self.on.context(origin, self.arrival.request.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| operation(&cx, self)));
        let outcome =
            outcome.unwrap_or_else(|_| Err(Fault::internal("an operation panicked").into()));
        if let Some(notice) = cx.notice() {
            let (request, network) = (&self.arrival.request, cx.origin);
            tracing::warn!(%request, ?network, "{notice}");
        }
        (outcome, cx.awaited())
    }

    fn written(&self, outcome: Result<Response, Problem>) -> Response {
        outcome.unwrap_or_else(|problem| {
            if let Some(cause) = problem.cause() {
                tracing::error!(request = %self.arrival.request, route = self.route, "{cause}");
            }
            self.told(&problem)
        })
    }

    fn told(&self, problem: &Problem) -> Response {
        if self.dialect != Dialect::Page || !self.wants_html() {
            return self.dialect.write(problem);
        }
        let page = pages::trouble(self, problem);
        let headers = problem.headers().iter().cloned();
        headers.fold(page, |page, (name, value)| with_header(page, name, value))
    }

    /// The appliance, for what needs no operation.
    pub(super) fn on(&self) -> Arc<Appliance> {
        Arc::clone(&self.on)
    }

    /// Whoever the bearer speaks for.
    pub(super) fn caller(&self, cx: &Cx<'_>) -> Result<Arc<Caller>, Problem> {
        // RFC 9700 §4.3.2: never in the query, where logs and histories keep it.
        if self.params()?.has("access_token") {
            return Err(Problem::bad_request(
                "an access token must be in the Authorization header",
            ));
        }
        let bearer = credentials::bearer(self.authorization()?)?;
        Ok(tokens::authenticate(cx, bearer)?)
    }

    /// The same at the one endpoint that also takes the bearer in a form (RFC 6750 §2.2).
    pub(super) fn caller_by_header_or_form(&self, cx: &Cx<'_>) -> Result<Arc<Caller>, Problem> {
        let form = match self.expect_type(FORM) {
            Ok(()) => Params::new(decoded(&self.body))?,
            Err(_) => Params::default(),
        };
        let Some(bearer) = form.get("access_token") else {
            return self.caller(cx);
        };
        if self.authorization()?.is_some() || self.params()?.has("access_token") {
            return Err(Problem::bad_request(
                "an access token must be given in one way alone",
            ));
        }
        Ok(tokens::authenticate(cx, bearer)?)
    }

    /// The client credentials of a Basic header, if there is one.
    pub(super) fn basic(&self) -> Result<Option<ClientProof>, Problem> {
        credentials::basic(self.authorization()?)
    }

    /// One of our cookies, if the request brings it.
    pub(super) fn cookie(&self, cookie: Cookie) -> Option<&str> {
        cookie.of(&self.arrival.headers)
    }

    /// A header's text, if the request brings it.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.arrival.headers.get(name)?.to_str().ok()
    }

    /// The name and password of the user whose Basic header this is; nothing in it is form-encoded.
    pub(super) fn user_basic(&self) -> Result<ClientProof, Problem> {
        credentials::user_basic(self.authorization()?)
    }

    /// Whoever asks, as a trusted proxy says or as the connection has it.
    pub(super) fn peer(&self) -> IpAddr {
        self.arrival.peer
    }

    /// Whether whoever asks would rather read a page.
    pub(super) fn wants_html(&self) -> bool {
        self.header(ACCEPT)
            .is_some_and(|accepted| accepted.contains("text/html"))
    }

    /// The one Authorization header: with two of them, whoever looks at the other one sees another caller.
    fn authorization(&self) -> Result<Option<&HeaderValue>, Problem> {
        let mut given = self.arrival.headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (only, None) => Ok(only),
            (_, Some(_)) => Err(Problem::bad_request(
                "more than one Authorization header is given",
            )),
        }
    }

    /// The parameters of the query.
    pub(super) fn params(&self) -> Result<Params, Problem> {
        Ok(Params::new(decoded(self.query.as_bytes()))?)
    }

    /// The parameters of the form alone, where a token is a parameter: queries are kept in logs and histories.
    pub(super) fn form(&self) -> Result<Params, Problem> {
        if !self.body.is_empty() {
            self.expect_type(FORM)?;
        }
        Ok(Params::new(decoded(&self.body))?)
    }

    /// The parameters of query and form together, as both contracts' clients send them; none may be given twice.
    pub(super) fn params_and_form(&self) -> Result<Params, Problem> {
        if !self.body.is_empty() {
            self.expect_type(FORM)?;
        }
        Ok(Params::new(
            decoded(self.query.as_bytes()).chain(decoded(&self.body)),
        )?)
    }

    /// The request's id.
    pub(super) fn request_id(&self) -> &str {
        self.arrival.request.as_str()
    }

    /// The body as a JSON object.
    pub(super) fn json(&self) -> Result<Object, Problem> {
        self.expect_type("application/json")?;
        Object::parse(&self.body)
    }

    /// The body as a JSON object; no body at all is an empty one.
    pub(super) fn json_or_nothing(&self) -> Result<Object, Problem> {
        if self.body.is_empty() {
            Ok(Object::default())
        } else {
            self.json()
        }
    }

    /// Some real clients leave the type out; one that names another type means something else.
    fn expect_type(&self, expected: &'static str) -> Result<(), Problem> {
        let Some(given) = self.arrival.headers.get(CONTENT_TYPE) else {
            return Ok(());
        };
        let given = given.to_str().unwrap_or_default();
        let kind = given.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case(expected) {
            Ok(())
        } else {
            Err(Problem::unreadable_type(expected))
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn decoded(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// 200 with a JSON body.
pub(super) fn json(body: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_vec(body).map_err(|error| {
        Problem::from(Fault::internal("an answer could not be written").because(error))
    })?;
    let mut response = Response::new(text.into());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json;charset=UTF-8"),
    );
    Ok(response)
}

/// 200 with the same members as a form.
pub(super) fn form_encoded(body: &impl Serialize) -> Result<Response, Problem> {
    let fault = || Problem::from(Fault::internal("an answer could not be written"));
    let Ok(Value::Object(members)) = serde_json::to_value(body) else {
        return Err(fault());
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &members {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    let mut response = Response::new(form.finish().into());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded;charset=UTF-8"),
    );
    Ok(response)
}

/// A status and nothing else.
pub(super) fn bare(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// The same answer with one more header.
pub(super) fn with_header(
    mut response: Response,
    name: HeaderName,
    value: HeaderValue,
) -> Response {
    response.headers_mut().insert(name, value);
    response
}

/// The same answer, which whoever asked may keep for `seconds`.
pub(super) fn cached(response: Response, seconds: u32) -> Response {
    let value = HeaderValue::try_from(format!("public, max-age={seconds}"));
    match value {
        Ok(value) => with_header(response, CACHE_CONTROL, value),
        Err(_) => response,
    }
}
