//! The whole job as a list of calls: what an integrator's backend, its calendar and its customers do, and what each
//! must be answered. Read it as the shortest description of both contracts that is also run.

use super::judge::Must;
use super::judge::Must::{
    Be, BeAtLeast, BeTicket, Claim, Differ, Fold, Have, Head, Lack, Line, Role, Silence,
};
use super::step::{Step, delete, get, post, put};

/// Every call, in order. Names in braces are what an earlier call gave, or what the tour began with.
pub(super) static STEPS: &[&[Step]] = &[
    PROOF,
    REFUSED_PROOF,
    KEYS,
    ROOM_AND_TICKETS,
    REFUSED_TICKETS,
    READING,
    CALENDAR,
    CUSTOMER,
    LIMITS_OF_A_CUSTOMER,
    SPENT,
    DISABLED,
    REVOKED,
    DELETED,
];

const TOKEN: &str = "/security/oauth/token";
const TICKETS: &str = "/security/ticket";
const TICKET: &str = "/security/ticket/{ticketId}";
const EVENT: &str = "/security/ticket/{ticketId}/event";
const DISABLE: &str = "/security/ticket/{ticketId}/disable";
const ENABLE: &str = "/security/ticket/{ticketId}/enable";
const REVOKE: &str = "/security/ticket/{ticketId}/revoke";
const USERINFO: &str = "/auth/v3/userinfo";
const CREDENTIALS: &str =
    "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}";

const CLIENT_TOKEN: &[Must] = &[
    Have("/access_token"),
    Be("/token_type", "bearer"),
    Lack("/refresh_token"),
    BeAtLeast("/expires_in", 59),
    Be("/scope", "any"),
    Be("/sub", "client:{client_id}"),
    Have("/jti"),
    Be("/organization", "{organization_id}"),
    Claim("/sub", "client:{client_id}"),
    Claim("/client_id", "{client_id}"),
    Claim("/organization", "{organization_id}"),
    Head("content-type", "application/json;charset=UTF-8"),
    Head("cache-control", "no-store"),
    Head("pragma", "no-cache"),
];

const PROOF: &[Step] = &[
    post(TOKEN, "a token, credentials in the query")
        .query(CREDENTIALS)
        .gives(200, CLIENT_TOKEN)
        .kept(&[("claims/iss", "issuer")]),
    post(TOKEN, "a token, credentials in a form")
        .form(CREDENTIALS)
        .gives(200, CLIENT_TOKEN),
    post(TOKEN, "a token, credentials in a Basic header")
        .basic("{client_id}", "{client_secret}")
        .form("grant_type=client_credentials")
        .gives(200, CLIENT_TOKEN)
        .kept(&[("/access_token", "backend")]),
    get(USERINFO, "who the backend is").bearer("backend").gives(
        200,
        &[
            Be("/username", "{client_id}"),
            Have("/authorities"),
            Lack("/cmeUserName"),
            Lack("/dbid"),
            Lack("/contactCenterId"),
        ],
    ),
];

const REFUSED_PROOF: &[Step] = &[
    get(TOKEN, "the token endpoint with the wrong method").gives(
        405,
        &[Be("/error", "method_not_allowed"), Head("allow", "POST")],
    ),
    post(TOKEN, "a wrong client secret")
        .basic("{client_id}", "wrong")
        .form("grant_type=client_credentials")
        .gives(
            401,
            &[
                Be("/error", "invalid_client"),
                Be("/error_description", "Bad client credentials"),
                Head("www-authenticate", "Basic realm="),
            ],
        ),
    post(TOKEN, "no grant type")
        .basic("{client_id}", "{client_secret}")
        .gives(
            400,
            &[
                Be("/error", "invalid_request"),
                Be("/error_description", "Missing grant type"),
            ],
        ),
    post(TOKEN, "a grant type nobody knows")
        .basic("{client_id}", "{client_secret}")
        .form("grant_type=wish")
        .gives(400, &[Be("/error", "unsupported_grant_type")]),
    post(TOKEN, "a scope the client may not have")
        .basic("{client_id}", "{client_secret}")
        .form("grant_type=client_credentials&scope=everything")
        .gives(400, &[Be("/error", "invalid_scope")]),
    get(USERINFO, "no token at all").gives(
        401,
        &[
            Be("/error", "unauthorized"),
            Be("/status/code", "520"),
            Head("www-authenticate", "Bearer realm="),
        ],
    ),
];

const KEYS: &[Step] = &[
    get("/.well-known/jwks.json", "the public keys of our tokens").gives(
        200,
        &[
            Be("/keys/0/kty", "OKP"),
            Be("/keys/0/crv", "Ed25519"),
            Be("/keys/0/alg", "EdDSA"),
            Be("/keys/0/use", "sig"),
            Have("/keys/0/kid"),
            Have("/keys/0/x"),
            Lack("/keys/0/d"),
        ],
    ),
    get(
        "/security/oauth/token_key",
        "the same key for older readers",
    )
    .gives(200, &[Be("/alg", "EdDSA"), Have("/kid"), Have("/value")]),
];

const ROOM_AND_TICKETS: &[Step] = &[
    post("/rtc-api/conferences/create", "a room to meet in")
        .bearer("backend")
        .json("{}")
        .gives(200, &[Have("/id"), Be("/mode", "ROUTER")])
        .kept(&[("/id", "room")]),
    post(TICKETS, "a ticket for one use")
        .bearer("backend")
        .json(r#"{"type":"SINGLE_USE_TICKET","properties":{"conference_id":"{room}"}}"#)
        .gives(
            200,
            &[
                BeTicket("/id", 9),
                Have("/userId"),
                Be("/organizationId", "{organization_id}"),
                Be("/type", "SINGLE_USE_TICKET"),
                Be("/properties/conference_id", "{room}"),
                Have("/createdAt"),
                Have("/expiresAt"),
                Be("/version", "0"),
                Be("/expired", "false"),
                Lack("/disabled"),
                Lack("/revoked"),
            ],
        )
        .kept(&[("/id", "single"), ("/userId", "single_user")]),
    post(TICKETS, "a ticket for many uses, as the vendor's scripts ask for it")
        .bearer("backend")
        .json(
            r#"{"type":"MULTI_USE_TICKET","ttl":{usual},"length":6,"properties":{"applicationId":"{application_id}","conference_id":"{room}","customer_id":"tour"}}"#,
        )
        .gives(
            200,
            &[
                BeTicket("/id", 6),
                Be("/type", "MULTI_USE_TICKET"),
                Be("/properties/applicationId", "{application_id}"),
            ],
        )
        .kept(&[("/id", "multi"), ("/userId", "multi_user")]),
    post(TICKETS, "a ticket for tomorrow")
        .bearer("backend")
        .json(
            r#"{"type":"SCHEDULE_TICKET","ttl":{short},"length":6,"properties":{"conference_id":"{room}","scheduled_date":"{tomorrow}","title":"Tomorrow"}}"#,
        )
        .gives(
            200,
            &[BeTicket("/id", 6), Be("/expiresAt", "{tomorrow_ends}")],
        )
        .kept(&[("/id", "later")]),
];

const REFUSED_TICKETS: &[Step] = &[
    post(TICKETS, "a type nobody knows")
        .bearer("backend")
        .json(r#"{"type":"FREE_TICKET","properties":{}}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(TICKETS, "a life below nothing")
        .bearer("backend")
        .json(r#"{"type":"MULTI_USE_TICKET","ttl":-1,"properties":{}}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(TICKETS, "a scheduled ticket without its date")
        .bearer("backend")
        .json(r#"{"type":"SCHEDULE_TICKET","properties":{}}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(TICKETS, "a body that is not JSON")
        .bearer("backend")
        .json("{")
        .gives(400, &[Be("/error", "invalid_request")]),
    post(TICKETS, "a ticket without a token")
        .json(r#"{"type":"SINGLE_USE_TICKET","properties":{}}"#)
        .gives(401, &[Be("/error", "unauthorized")]),
];

const READING: &[Step] = &[
    get(TICKET, "the ticket, read back")
        .of("multi")
        .bearer("backend")
        .gives(200, &[Be("/id", "{multi}"), Be("/version", "0")]),
    put(TICKET, "one property new, one removed, the others kept")
        .of("multi")
        .bearer("backend")
        .json(r#"{"properties":{"title":"A tour; with, care","customer_id":null}}"#)
        .gives(
            200,
            &[
                Be("/version", "1"),
                Be("/properties/title", "A tour; with, care"),
                Be("/properties/conference_id", "{room}"),
                Lack("/properties/customer_id"),
            ],
        ),
    put(TICKET, "another organization's name on it")
        .of("multi")
        .bearer("backend")
        .json(r#"{"organizationId":"another","properties":{}}"#)
        .gives(403, &[Be("/error", "access_denied")]),
];

const CALENDAR: &[Step] = &[
    get(EVENT, "its calendar file")
        .of("multi")
        .bearer("backend")
        .gives(
            200,
            &[
                Head(
                    "content-type",
                    "text/calendar; charset=utf-8; method=PUBLISH",
                ),
                Head("content-disposition", "attachment; filename=\"event.ics\""),
                Fold,
                Line("BEGIN:VCALENDAR"),
                Line("METHOD:PUBLISH"),
                Line("STATUS:CONFIRMED"),
                Line("SEQUENCE:1"),
                Line("SUMMARY:A tour\\; with\\, care"),
                Line("URL:{issuer}/t/{multi}"),
                Line("TRIGGER:-PT15M"),
                Line("END:VCALENDAR"),
            ],
        ),
    get(EVENT, "tomorrow's calendar file")
        .of("later")
        .bearer("backend")
        .gives(
            200,
            &[
                Fold,
                Line("SUMMARY:Tomorrow"),
                Line("URL:{issuer}/t/{later}"),
            ],
        ),
    get(EVENT, "the same for Google's calendar")
        .of("multi")
        .bearer("backend")
        .query("calendar=google")
        .gives(
            302,
            &[Head(
                "location",
                "https://calendar.google.com/calendar/render?",
            )],
        ),
    get(EVENT, "for Outlook")
        .of("multi")
        .bearer("backend")
        .query("calendar=outlook")
        .gives(
            302,
            &[Head("location", "https://outlook.live.com/calendar/")],
        ),
    get(EVENT, "for Microsoft 365")
        .of("multi")
        .bearer("backend")
        .query("calendar=office365")
        .gives(
            302,
            &[Head("location", "https://outlook.office.com/calendar/")],
        ),
    get(EVENT, "for Yahoo")
        .of("multi")
        .bearer("backend")
        .query("calendar=yahoo")
        .gives(302, &[Head("location", "https://calendar.yahoo.com/?")]),
    get(EVENT, "for a calendar nobody knows")
        .of("multi")
        .bearer("backend")
        .query("calendar=papyrus")
        .gives(400, &[Be("/error", "invalid_request")]),
];

const LOGIN: &[Must] = &[
    Have("/access_token"),
    Be("/token_type", "bearer"),
    Have("/refresh_token"),
    BeAtLeast("/expires_in", 59),
    Have("/scope"),
    Have("/jti"),
    Be("/organization", "{organization_id}"),
    Be("/conference_id", "{room}"),
    Have("/DEVICE_ID"),
    Head("cache-control", "no-store"),
];

const CUSTOMER: &[Step] = &[
    post(TOKEN, "the customer's login, ticket as user name")
        .customer()
        .form("grant_type=password&username={single}&password=")
        .gives(200, LOGIN)
        .kept(&[
            ("/access_token", "customer"),
            ("/refresh_token", "refresh"),
            ("/sub", "customer_sub"),
        ]),
    post(TOKEN, "another customer's, in the field `ticket`")
        .customer()
        .form("grant_type=password&ticket={multi}&password=something")
        .gives(200, LOGIN)
        .kept(&[
            ("/access_token", "visitor"),
            ("/refresh_token", "visitor_refresh"),
        ]),
    post(TOKEN, "the same ticket by the grant's own name")
        .customer()
        .form("grant_type=urn:admit:params:oauth:grant-type:ticket&ticket={multi}")
        .gives(200, LOGIN),
    get(USERINFO, "who the customer is")
        .bearer("customer")
        .gives(
            200,
            &[
                Role("ROLE_CUSTOMER"),
                Be("/username", "{single_user}"),
                Be("/username", "{customer_sub}"),
                Be("/contactCenterId", "{organization_id}"),
                Lack("/cmeUserName"),
            ],
        ),
    post(TOKEN, "the customer's refresh, after its ticket is spent")
        .customer()
        .form("grant_type=refresh_token&refresh_token={refresh}")
        .gives(
            200,
            &[
                Have("/access_token"),
                Differ("/access_token", "customer"),
                Have("/refresh_token"),
                Be("/sub", "{customer_sub}"),
                BeAtLeast("/expires_in", 59),
            ],
        ),
];

const LIMITS_OF_A_CUSTOMER: &[Step] = &[
    get(TICKET, "a customer reads its own ticket")
        .of("multi")
        .bearer("visitor")
        .gives(200, &[Be("/userId", "{multi_user}")]),
    get(TICKET, "and nobody else's")
        .of("later")
        .bearer("visitor")
        .gives(404, &[Be("/error", "not_found")]),
    post(TICKETS, "and makes none")
        .bearer("visitor")
        .json(r#"{"type":"SINGLE_USE_TICKET","properties":{}}"#)
        .gives(403, &[Be("/error", "access_denied")]),
];

const SPENT: &[Step] = &[post(TOKEN, "the ticket for one use, a second time")
    .customer()
    .form("grant_type=password&username={single}&password=")
    .gives(
        400,
        &[
            Be("/error", "invalid_grant"),
            Be("/error_description", "USED"),
        ],
    )];

const DISABLED: &[Step] = &[
    post(DISABLE, "the ticket for many uses disabled")
        .of("multi")
        .bearer("backend")
        .gives(204, &[Silence]),
    post(TOKEN, "a login with it")
        .customer()
        .form("grant_type=password&username={multi}&password=")
        .gives(
            400,
            &[
                Be("/error", "invalid_grant"),
                Be("/error_description", "DISABLED"),
            ],
        ),
    get(TICKET, "the ticket says so")
        .of("multi")
        .bearer("backend")
        .gives(200, &[Have("/disabled"), Be("/version", "2")]),
    post(ENABLE, "enabled again")
        .of("multi")
        .bearer("backend")
        .gives(204, &[Silence]),
    post(TOKEN, "a login with it")
        .customer()
        .form("grant_type=password&username={multi}&password=")
        .gives(200, LOGIN)
        .kept(&[
            ("/access_token", "visitor"),
            ("/refresh_token", "visitor_refresh"),
        ]),
];

const REVOKED: &[Step] = &[
    get(USERINFO, "its customer is signed in")
        .bearer("visitor")
        .gives(
            200,
            &[Role("ROLE_CUSTOMER"), Be("/username", "{multi_user}")],
        ),
    post(REVOKE, "the ticket revoked for good")
        .of("multi")
        .bearer("backend")
        .gives(204, &[Silence]),
    get(USERINFO, "its customer is out at the very next request")
        .bearer("visitor")
        .gives(
            401,
            &[
                Be("/error", "invalid_token"),
                Be("/status/code", "520"),
                Head("www-authenticate", "Bearer realm="),
            ],
        ),
    post(TOKEN, "and cannot refresh")
        .customer()
        .form("grant_type=refresh_token&refresh_token={visitor_refresh}")
        .gives(
            400,
            &[
                Be("/error", "invalid_grant"),
                Be("/error_description", "REVOKED"),
            ],
        ),
    post(TOKEN, "nor come back")
        .customer()
        .form("grant_type=password&username={multi}&password=")
        .gives(
            400,
            &[
                Be("/error", "invalid_grant"),
                Be("/error_description", "REVOKED"),
            ],
        ),
    get(EVENT, "the calendar file takes the event back")
        .of("multi")
        .bearer("backend")
        .gives(
            200,
            &[
                Head(
                    "content-type",
                    "text/calendar; charset=utf-8; method=CANCEL",
                ),
                Fold,
                Line("METHOD:CANCEL"),
                Line("STATUS:CANCELLED"),
                Line("SEQUENCE:4"),
            ],
        ),
];

const DELETED: &[Step] = &[
    delete(TICKET, "the ticket deleted")
        .of("multi")
        .bearer("backend")
        .gives(200, &[Silence]),
    get(TICKET, "there is none any more")
        .of("multi")
        .bearer("backend")
        .gives(404, &[Be("/error", "not_found")]),
    // The one wrong guess of the tour: they are counted.
    post(TOKEN, "a login with a ticket that is not there")
        .customer()
        .form("grant_type=password&username={multi}&password=")
        .gives(
            400,
            &[
                Be("/error", "invalid_grant"),
                Be("/error_description", "NOT_FOUND"),
            ],
        ),
    delete(TICKET, "the others deleted too")
        .of("single")
        .bearer("backend")
        .gives(200, &[Silence]),
    delete(TICKET, "so that nothing is left of the tour")
        .of("later")
        .bearer("backend")
        .gives(200, &[Silence]),
];
