//! The whole job as a list of calls: what an integrator's backend, its calendar, its customers and the software its
//! people sign in to do, and what each must be answered. Read it as the shortest description of both contracts that is also run.

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
    DISCOVERY,
    REGISTRATION,
    SIGN_IN,
    WHO_SIGNED_IN,
    REFRESHED,
    CODE_AGAIN,
    SIGNED_OUT,
    LOGGED_OUT,
    UNREGISTERED,
];

const TOKEN: &str = "/security/oauth/token";
const TICKETS: &str = "/security/ticket";
const TICKET: &str = "/security/ticket/{ticketId}";
const EVENT: &str = "/security/ticket/{ticketId}/event";
const DISABLE: &str = "/security/ticket/{ticketId}/disable";
const ENABLE: &str = "/security/ticket/{ticketId}/enable";
const REVOKE: &str = "/security/ticket/{ticketId}/revoke";
const USERINFO: &str = "/auth/v3/userinfo";
const AUTHORIZE: &str = "/auth/v3/oauth/authorize";
const AUTH_V3_TOKEN: &str = "/auth/v3/oauth/token";
const OPENID_USERINFO: &str = "/auth/v3/openid/userinfo";
const JWT_USERINFO: &str = "/auth/v3/jwt-userinfo";
const OIDC_USERINFO: &str = "/oidc/userinfo";
const PING: &str = "/auth/v3/ping";
const SIGN_OUT: &str = "/auth/v3/sign-out";
const CLIENTS: &str = "/auth/v3/ops/clients";
const CLIENT: &str = "/auth/v3/ops/clients/{client_id}";
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
    delete(TICKET, "so that none is left of the tour")
        .of("later")
        .bearer("backend")
        .gives(200, &[Silence]),
];

const DISCOVERY: &[Step] = &[
    get(
        "/auth/v3/.well-known/openid-configuration",
        "what an OpenID client needs to know of /auth/v3",
    )
    .gives(
        200,
        &[
            Be("/issuer", "{issuer}/auth/v3"),
            Be(
                "/authorization_endpoint",
                "{issuer}/auth/v3/oauth/authorize",
            ),
            Be("/token_endpoint", "{issuer}/auth/v3/oauth/token"),
            Be("/userinfo_endpoint", "{issuer}/oidc/userinfo"),
            Be("/end_session_endpoint", "{issuer}/oidc/logout"),
            Be("/jwks_uri", "{issuer}/.well-known/jwks.json"),
            Be("/code_challenge_methods_supported/0", "S256"),
        ],
    ),
    get(
        "/.well-known/oauth-authorization-server/auth/v3",
        "the same where RFC 8414 looks for it",
    )
    .gives(200, &[Be("/issuer", "{issuer}/auth/v3")]),
    get(
        "/.well-known/openid-configuration",
        "and of the other issuer",
    )
    .gives(
        200,
        &[
            Be("/issuer", "{issuer}"),
            Be("/token_endpoint", "{issuer}/security/oauth/token"),
        ],
    ),
];

const REGISTRATION: &[Step] = &[
    get(CLIENTS, "the clients, without an administrator's password").gives(
        401,
        &[
            Be("/error", "unauthorized"),
            Head("www-authenticate", "Basic realm="),
        ],
    ),
    post(CLIENTS, "a client for people to sign in to")
        .admin()
        .json(
            r#"{"data":{"name":"Tour","clientType":"CONFIDENTIAL","authorizedGrantTypes":["authorization_code","refresh_token","password"],"redirectURIs":["https://tour.example.org"],"scope":["*"]}}"#,
        )
        .gives(
            200,
            &[
                Be("/status/code", "0"),
                Have("/data/client_id"),
                Have("/data/client_secret"),
                Be("/data/redirectURIs/0", "https://tour.example.org"),
            ],
        )
        .kept(&[
            ("/data/client_id", "party"),
            ("/data/client_secret", "party_secret"),
        ]),
    get(CLIENT, "its secret was shown that once")
        .of("party")
        .admin()
        .gives(
            200,
            &[Be("/data/client_id", "{party}"), Lack("/data/client_secret")],
        ),
];

const ASKED: &str = "client_id={party}&redirect_uri=https://tour.example.org/back&response_type=code&scope=openid%20profile&state=of-the-tour";
const EXCHANGE: &str = "grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Ftour.example.org%2Fback&client_id={party}";
const LANDED: &[Must] = &[Head("location", "https://tour.example.org/back?code=")];
const PERSON_TOKEN: &[Must] = &[
    Have("/access_token"),
    Be("/token_type", "bearer"),
    Have("/refresh_token"),
    Have("/id_token"),
    BeAtLeast("/expires_in", 59),
    Be("/scope", "openid profile"),
    Claim("/iss", "{issuer}/auth/v3"),
    Claim("/client_id", "{party}"),
    Head("set-cookie", "__Host-admit-ping="),
    Head("cache-control", "no-store"),
];

const SIGN_IN: &[Step] = &[
    get(
        AUTHORIZE,
        "a browser nobody has signed in with is sent to the page",
    )
    .query(ASKED)
    .gives(302, &[Head("location", "/auth/sign-in.html?")]),
    get("/auth/sign-in.html", "which needs no script").gives(
        200,
        &[
            Head("content-type", "text/html"),
            Head("content-security-policy", "default-src 'none'"),
            Head("x-frame-options", "DENY"),
        ],
    ),
    get(AUTHORIZE, "an address the client did not register")
        .query("client_id={party}&redirect_uri=https://tour.example.com/back&response_type=code")
        .gives(400, &[Be("/error", "invalid_request")]),
    get(
        AUTHORIZE,
        "software that has name and password is sent back at once",
    )
    .admin()
    .query(ASKED)
    .gives(302, LANDED)
    .kept(&[("location?code", "code"), ("cookie", "browser")]),
    post(AUTH_V3_TOKEN, "the code for tokens")
        .relying_party()
        .form(EXCHANGE)
        .gives(200, PERSON_TOKEN)
        .kept(&[
            ("/access_token", "person"),
            ("/refresh_token", "person_refresh"),
            ("/sub", "person_sub"),
            ("cookie", "ping"),
        ]),
];

const WHO_SIGNED_IN: &[Step] = &[
    get(USERINFO, "who has signed in").bearer("person").gives(
        200,
        &[
            Role("ROLE_ADMIN"),
            Be("/cmeUserName", "{admin_name}"),
            Be("/contactCenterId", "{organization_id}"),
            Have("/username"),
            Have("/dbid"),
        ],
    ),
    get(OPENID_USERINFO, "the same in other words")
        .bearer("person")
        .gives(
            200,
            &[
                Be("/sub", "{person_sub}"),
                Be("/contact_center_id", "{organization_id}"),
                Have("/user_name"),
            ],
        ),
    get(JWT_USERINFO, "and signed, in a header")
        .bearer("person")
        .gives(200, &[Be("/status/code", "0"), Head("x-gws-user", "eyJ")]),
    get(OIDC_USERINFO, "what an OpenID client reads")
        .bearer("person")
        .gives(
            200,
            &[
                Be("/sub", "{person_sub}"),
                Be("/preferred_username", "{admin_name}"),
            ],
        ),
    post(
        "/oauth/introspect",
        "what another service is told of the token",
    )
    .relying_party()
    .form("token={person}")
    .gives(
        200,
        &[
            Be("/active", "true"),
            Be("/sub", "{person_sub}"),
            Be("/client_id", "{party}"),
            Be("/username", "{admin_name}"),
        ],
    ),
    get(PING, "a ping with the cookie of the token's answer")
        .cookie("ping")
        .gives(200, &[Be("/status/code", "0")]),
    get(PING, "and with nothing").gives(
        403,
        &[Be("/error", "access_denied"), Be("/status/code", "603")],
    ),
];

const REFRESHED: &[Step] = &[
    post(AUTH_V3_TOKEN, "a refresh")
        .relying_party()
        .form("grant_type=refresh_token&refresh_token={person_refresh}")
        .gives(
            200,
            &[
                Differ("/access_token", "person"),
                Differ("/refresh_token", "person_refresh"),
                Be("/sub", "{person_sub}"),
                Have("/id_token"),
            ],
        )
        .kept(&[
            ("/access_token", "person"),
            ("/refresh_token", "person_refresh"),
        ]),
    get(USERINFO, "with the new token")
        .bearer("person")
        .gives(200, &[Be("/cmeUserName", "{admin_name}")]),
];

const CODE_AGAIN: &[Step] = &[
    post(AUTH_V3_TOKEN, "the code, a second time")
        .relying_party()
        .form(EXCHANGE)
        .gives(400, &[Be("/error", "invalid_grant")]),
    get(USERINFO, "which ended what the first use had issued")
        .bearer("person")
        .gives(401, &[Be("/error", "invalid_token")]),
    post(AUTH_V3_TOKEN, "for good")
        .relying_party()
        .form("grant_type=refresh_token&refresh_token={person_refresh}")
        .gives(400, &[Be("/error", "invalid_grant")]),
];

const SIGNED_OUT: &[Step] = &[
    post(
        AUTH_V3_TOKEN,
        "name and password for tokens, where that is on",
    )
    .relying_party()
    .form("grant_type=password&username={admin_name}&password={admin_password}&scope=*")
    .gives(
        200,
        &[
            Have("/refresh_token"),
            Lack("/id_token"),
            Be("/scope", "*"),
            Be("/sub", "{person_sub}"),
        ],
    )
    .kept(&[
        ("/access_token", "person"),
        ("/refresh_token", "person_refresh"),
        ("cookie", "ping"),
    ]),
    post(SIGN_OUT, "sign-out")
        .bearer("person")
        .gives(200, &[Be("/status/code", "0")]),
    get(USERINFO, "the token is dead at the very next request")
        .bearer("person")
        .gives(
            401,
            &[Be("/error", "invalid_token"), Be("/status/code", "520")],
        ),
    get(PING, "and so is its cookie")
        .cookie("ping")
        .gives(403, &[]),
    post(AUTH_V3_TOKEN, "and its refresh token")
        .relying_party()
        .form("grant_type=refresh_token&refresh_token={person_refresh}")
        .gives(400, &[Be("/error", "invalid_grant")]),
];

const LOGGED_OUT: &[Step] = &[
    get(AUTHORIZE, "the browser is known and not asked again")
        .cookie("browser")
        .query(ASKED)
        .gives(302, LANDED)
        .kept(&[("location?code", "code")]),
    post(AUTH_V3_TOKEN, "a code of its session for tokens")
        .relying_party()
        .form(EXCHANGE)
        .gives(200, PERSON_TOKEN)
        .kept(&[("/access_token", "person"), ("/id_token", "id_token")]),
    get("/oidc/logout", "log-out, asked for by the client")
        .cookie("browser")
        .query("id_token_hint={id_token}")
        .gives(200, &[Head("content-type", "text/html")]),
    get(USERINFO, "ends the session and what came of it")
        .bearer("person")
        .gives(401, &[Be("/error", "invalid_token")]),
    get(AUTHORIZE, "and the browser must sign in again")
        .cookie("browser")
        .query(ASKED)
        .gives(302, &[Head("location", "/auth/sign-in.html?")]),
];

const UNREGISTERED: &[Step] = &[
    delete(
        CLIENT,
        "the client deleted, so that nothing is left of the tour",
    )
    .of("party")
    .admin()
    .gives(200, &[Be("/status/code", "0")]),
    get(CLIENT, "there is none any more")
        .of("party")
        .admin()
        .gives(404, &[Be("/error", "not_found")]),
];
