//! The rest of both contracts as calls, most of it A's: what administrators, internal services and visitors who get a
//! code do, and what needs somebody whom only the operator can make.

use std::time::Duration;

use super::judge::Must::{Be, BeAtLeast, Have, Head, Lack, Silence};
use super::step::{Step, delete, get, post, put};

const TOKEN: &str = "/security/oauth/token";
const CLIENTS: &str = "/security/clients";
const CLIENT: &str = "/security/clients/{clientId}";
const ROTATE: &str = "/security/clients/{clientId}/rotate";
const APPLICATIONS: &str = "/security/applications";
const APPLICATION: &str = "/security/applications/{id}";
const KEYS: &str = "/security/keys";
const KEY: &str = "/security/keys/{id}";
const USER: &str = "/security/users/{userId}";
const CODES: &str = "/security/otp";
const CHECK: &str = "/security/otp/verify";
const ROOM: &str = "/security/facades/room";
const OLD_ROOM: &str = "/security/genesys/room";
const CALLBACK: &str = "/security/facades/callback";
const OLD_CALLBACK: &str = "/security/genesys/callback";
const TALKDESK: &str = "/security/talkdesk/refresh_token";
const NICE: &str = "/security/nice/refresh_token";
const CHANGE_PASSWORD: &str = "/auth/v3/change-password";
const SIGN_OUT: &str = "/auth/v3/sign-out";
const TICKET: &str = "/security/ticket/{ticketId}";

/// What the first client, an administrator's, does; nothing of it is left in the end.
pub(super) static ADMINISTRATION: &[&[Step]] =
    &[CLIENTS_STEPS, APPLICATION_STEPS, KEY_STEPS, ROOM_STEPS];

const CLIENTS_STEPS: &[Step] = &[
    post(CLIENTS, "a client of the organization")
        .bearer("backend")
        .json(r#"{"description":"made by the tour","roles":["Agent"]}"#)
        .gives(
            200,
            &[
                Have("/clientId"),
                Have("/clientSecret"),
                Be("/description", "made by the tour"),
                Be("/roles/0", "Agent"),
            ],
        )
        .kept(&[("/clientId", "toured"), ("/clientSecret", "toured_secret")]),
    post(CLIENTS, "a role there is none of")
        .bearer("backend")
        .json(r#"{"roles":["admin"]}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    get(CLIENTS, "all of them, without secrets")
        .bearer("backend")
        .gives(200, &[Have("/0/clientId"), Lack("/0/clientSecret")]),
    put(CLIENT, "another description; the roles stay")
        .of("toured")
        .bearer("backend")
        .json(r#"{"description":"changed by the tour"}"#)
        .gives(
            200,
            &[
                Be("/description", "changed by the tour"),
                Be("/roles/0", "Agent"),
                Lack("/clientSecret"),
            ],
        ),
    post(ROTATE, "a new secret")
        .of("toured")
        .bearer("backend")
        .gives(200, &[Have("/clientSecret")])
        .kept(&[("/clientSecret", "toured_new")]),
    post(TOKEN, "the old one is good for nothing")
        .basic("{toured}", "{toured_secret}")
        .form("grant_type=client_credentials")
        .gives(401, &[Be("/error", "invalid_client")]),
    post(TOKEN, "and the new one is good")
        .basic("{toured}", "{toured_new}")
        .form("grant_type=client_credentials")
        .gives(200, &[Have("/access_token")])
        .kept(&[("/access_token", "agent")]),
    get(CLIENTS, "an agent's client sees no clients")
        .bearer("agent")
        .gives(403, &[Be("/error", "access_denied")]),
];

const APPLICATION_STEPS: &[Step] = &[
    post(APPLICATIONS, "an application for trying things out")
        .bearer("backend")
        .json(
            r#"{"type":"TEST","config":{"shown":"to all","serviceParameters":{"clientSecret":"hidden"},"agentParameters":{"a":1},"customerParameters":{"c":1}}}"#,
        )
        .gives(200, &[Have("/id")])
        .kept(&[("/id", "toured_application")]),
    get(APPLICATION, "an administrator sees all of it")
        .of("toured_application")
        .bearer("backend")
        .gives(
            200,
            &[
                Be("/type", "TEST"),
                Be("/organizationId", "{organization_id}"),
                Be("/config/serviceParameters/clientSecret", "hidden"),
                Have("/createdAt"),
                Be("/version", "0"),
            ],
        ),
    get(APPLICATION, "an agent what is for agents and for all")
        .of("toured_application")
        .bearer("agent")
        .gives(
            200,
            &[
                Be("/config/shown", "to all"),
                Be("/config/agentParameters/a", "1"),
                Lack("/config/serviceParameters"),
                Lack("/config/customerParameters"),
            ],
        ),
    get(APPLICATIONS, "a page of them, as the framework asks")
        .bearer("backend")
        .query("page=0&size=2&sort=createdAt,desc")
        .gives(200, &[Be("/0/id", "{toured_application}")]),
    get(APPLICATIONS, "and as the document prints it")
        .bearer("backend")
        .query("pageable=page,0,size,1,sort,id")
        .gives(200, &[Have("/0/id"), Lack("/1")]),
    put(APPLICATION, "another configuration")
        .of("toured_application")
        .bearer("backend")
        .json(r#"{"type":"TEST","config":{"shown":"still"}}"#)
        .gives(204, &[Silence]),
    put(APPLICATION, "no other type")
        .of("toured_application")
        .bearer("backend")
        .json(r#"{"type":"GENESYS","config":{}}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    delete(APPLICATION, "deleted")
        .of("toured_application")
        .bearer("backend")
        .gives(204, &[Silence]),
    get(APPLICATION, "there is none any more")
        .of("toured_application")
        .bearer("backend")
        .gives(404, &[Be("/error", "not_found")]),
];

/// A key pair is made behind everything else, which on a busy machine is late.
const MAKING: Duration = Duration::from_mins(5);

const KEY_STEPS: &[Step] = &[
    post(KEYS, "an RSA key pair, made here: 4096 bits")
        .bearer("backend")
        .json(r#"{"type":"SSH_RSA","comment":"made by the tour"}"#)
        .within(MAKING)
        .gives(200, &[Have("/id"), Have("/publicKey"), Lack("/privateKey")])
        .kept(&[("/id", "toured_key"), ("/publicKey", "public_key")]),
    get(KEY, "its public half; the private one is for services")
        .of("toured_key")
        .bearer("backend")
        .gives(
            200,
            &[
                Be("/publicKey", "{public_key}"),
                BeAtLeast("/keySize", 4096),
                Be("/type", "SSH_RSA"),
                Lack("/privateKey"),
                Head("cache-control", "no-store"),
            ],
        ),
    post(KEYS, "no private key")
        .bearer("backend")
        .json(r#"{"type":"SSH_RSA","privateKey":"-----BEGIN NONSENSE-----"}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    get(KEY, "an agent sees no keys")
        .of("toured_key")
        .bearer("agent")
        .gives(403, &[Be("/error", "access_denied")]),
];

const ROOM_STEPS: &[Step] = &[
    post(ROOM, "a room, a ticket and their addresses in one call")
        .bearer("agent")
        .json(r#"{"applicationId":"{application_id}","urlBase":"https://auvious.video","customerId":"c-1","interactionId":"i-1","cdestination":"embedded"}"#)
        .gives(200, &[Have("/agentUrl"), Have("/ticketUrl")])
        .kept(&[("end of /ticketUrl", "room_ticket")]),
    get(TICKET, "its ticket")
        .of("room_ticket")
        .bearer("agent")
        .gives(200, &[Be("/properties/cdestination", "embedded"), Be("/properties/customer_id", "c-1")]),
    delete(TICKET, "the ticket deleted")
        .of("room_ticket")
        .bearer("agent")
        .gives(200, &[Silence]),
    post(OLD_ROOM, "the same under its old name")
        .bearer("agent")
        .json(r#"{"applicationId":"{application_id}"}"#)
        .gives(200, &[Have("/agentUrl"), Have("/ticketUrl")]),
    delete(CLIENT, "the client deleted")
        .of("toured")
        .bearer("backend")
        .gives(204, &[Silence]),
    get(CLIENTS, "and its token is dead")
        .bearer("agent")
        .gives(401, &[Be("/error", "invalid_token")]),
];

/// What only an internal service may do; the operator has made one for the tour.
pub(super) const OF_A_SERVICE: &[Step] = &[
    post(TOKEN, "a token of an internal service")
        .basic("{service}", "{service_secret}")
        .form("grant_type=client_credentials")
        .gives(200, &[Have("/access_token")])
        .kept(&[("/access_token", "service_token")]),
    get(USER, "everything about a user but the password")
        .of("person_sub")
        .bearer("service_token")
        .gives(
            200,
            &[
                Be("/id", "{person_sub}"),
                Be("/username", "{admin_name}"),
                Be("/enabled", "true"),
                Have("/authorities/0/authority"),
                Lack("/password"),
            ],
        ),
    get(USER, "which nobody else is told")
        .of("person_sub")
        .bearer("backend")
        .gives(403, &[Be("/error", "access_denied")]),
    get(KEY, "the private half of the key pair")
        .of("toured_key")
        .bearer("service_token")
        .gives(
            200,
            &[Have("/privateKey"), Be("/publicKey", "{public_key}")],
        ),
];

/// What an account whose password has expired may do, and what its new password is.
pub(super) const PASSWORD_CHANGED: &[Step] = &[
    post(CHANGE_PASSWORD, "a person changes a password that has expired")
        .json(
            r#"{"data":{"userName":"{person_name}","oldPassword":"{person_password}","newPassword":"{person_password}, and longer"},"operationId":"tour"}"#,
        )
        .gives(200, &[Be("/status/code", "0")]),
    post(CHANGE_PASSWORD, "which is good for nothing any more")
        .json(
            r#"{"data":{"userName":"{person_name}","oldPassword":"{person_password}","newPassword":"and another one"}}"#,
        )
        .gives(403, &[Be("/error", "access_denied")]),
];

pub(super) const SERVICE_SIGNED_OUT: &[Step] = &[
    get(SIGN_OUT, "the internal service signs out")
        .bearer("service_token")
        .gives(200, &[Be("/status/code", "0")]),
    get(USER, "and is nobody")
        .of("person_sub")
        .bearer("service_token")
        .gives(401, &[Be("/error", "invalid_token")]),
];

pub(super) const CODE_ASKED_FOR: &[Step] = &[
    post(CODES, "a one-time code")
        .bearer("backend")
        .json(r#"{"to":"{number}","channel":"SMS","customName":"hello, world","locale":"el"}"#)
        .gives(200, &[Have("/id")])
        .kept(&[("/id", "verification")]),
    post(CODES, "asked for again: the same one")
        .bearer("backend")
        .json(r#"{"to":"{number}"}"#)
        .gives(200, &[Be("/id", "{verification}")]),
    post(CODES, "a number that is none")
        .bearer("backend")
        .json(r#"{"to":"12"}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
];

pub(super) const CODE_CHECKED: &[Step] = &[
    post(CHECK, "a wrong code")
        .bearer("backend")
        .json(r#"{"to":"{number}","code":"{wrong_code}","verificationId":"{verification}"}"#)
        .gives(400, &[Be("/error", "invalid_code")]),
    post(CHECK, "the code of the outbox")
        .bearer("backend")
        .json(r#"{"to":"{number}","code":"{code_sent}","verificationId":"{verification}"}"#)
        .gives(204, &[Silence]),
];

/// What needs Genesys Cloud, Talkdesk and NICE: the stand-ins play them.
pub(super) static UPSTREAM: &[&[Step]] = &[INTEGRATIONS, REFRESHES, CALLBACKS];

const INTEGRATIONS: &[Step] = &[
    post(APPLICATIONS, "an application at Genesys Cloud")
        .bearer("backend")
        .json(
            r#"{"type":"GENESYS","config":{"organizationId":"tour","pcEnvironment":"mypurecloud.de","serviceParameters":{"clientId":"genesys-client","clientSecret":"genesys-secret","loginBase":"{stand_ins}","apiBase":"{stand_ins}"}}}"#,
        )
        .gives(200, &[Have("/id")])
        .kept(&[("/id", "genesys")]),
    post(APPLICATIONS, "without its environment")
        .bearer("backend")
        .json(r#"{"type":"GENESYS","config":{"organizationId":"tour"}}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(APPLICATIONS, "an application at Talkdesk")
        .bearer("backend")
        .json(
            r#"{"type":"TALKDESK_OPENID","config":{"serviceParameters":{"account":"tour","clientId":"talkdesk-client","clientSecret":"talkdesk-secret","tokenUrl":"{stand_ins}/talkdesk/oauth/token"}}}"#,
        )
        .gives(200, &[Have("/id")])
        .kept(&[("/id", "talkdesk")]),
    post(APPLICATIONS, "an application at NICE")
        .bearer("backend")
        .json(
            r#"{"type":"NICE_CXONE_OPENID","config":{"serviceParameters":{"clientId":"nice-client","clientSecret":"nice-secret","tokenUrl":"{stand_ins}/nice/auth/token"}}}"#,
        )
        .gives(200, &[Have("/id")])
        .kept(&[("/id", "nice")]),
    post(TOKEN, "an agent's login with a code of Genesys Cloud")
        .basic("agent", "")
        .form("grant_type=password&username={genesys}&password=admin-code&redirect_uri=https%3A%2F%2Fagents.example.org%2Fback")
        .gives(200, &[Have("/access_token"), Have("/refresh_token")])
        .kept(&[("/access_token", "genesys_agent")]),
    get(APPLICATION, "whose permissions show all of the application")
        .of("genesys")
        .bearer("genesys_agent")
        .gives(200, &[Be("/config/serviceParameters/clientId", "genesys-client")]),
    post(TOKEN, "a code Genesys Cloud does not know")
        .basic("agent", "")
        .form("grant_type=password&username={genesys}&password=no-code&redirect_uri=https%3A%2F%2Fagents.example.org%2Fback")
        .gives(400, &[Be("/error", "invalid_grant")]),
];

const REFRESHES: &[Step] = &[
    post(TALKDESK, "a token of Talkdesk, renewed")
        .bearer("backend")
        .json(r#"{"refresh_token":"talkdesk-refresh"}"#)
        .gives(200, &[Have("/access_token"), Have("/refresh_token")]),
    post(NICE, "a token of NICE, renewed")
        .bearer("backend")
        .json(r#"{"refresh_token":"nice-refresh"}"#)
        .gives(
            200,
            &[
                Have("/access_token"),
                Have("/refresh_token"),
                Have("/id_token"),
            ],
        ),
    post(NICE, "a refresh token NICE does not know")
        .bearer("backend")
        .json(r#"{"refresh_token":"bad-refresh"}"#)
        .gives(400, &[Be("/error", "invalid_grant")]),
];

const CALLBACKS: &[Step] = &[
    post(CALLBACK, "a callback, ordered by the backend")
        .bearer("backend")
        .header("x-applicationid", "{genesys}")
        .header("x-urlbase", "https://auvious.video")
        .json(
            r#"{"queueName":"Support","callbackUserName":"Ann","callbackNumbers":["{number}"],"callbackScheduledTime":"{tomorrow}"}"#,
        )
        .gives(
            200,
            &[
                Have("/conferenceId"),
                Have("/ticketUrl"),
                Have("/agentUrl"),
                Have("/genesys/conversation/id"),
                Have("/genesys/callbackIdentifiers/0/id"),
            ],
        )
        .kept(&[("/ticketId", "callback_ticket")]),
    get(TICKET, "its ticket lives from the callback's time")
        .of("callback_ticket")
        .bearer("backend")
        .gives(200, &[Be("/type", "GENESYS_SCHEDULE_TICKET")]),
    post(CALLBACK, "a queue there is none of")
        .bearer("backend")
        .header("x-applicationid", "{genesys}")
        .header("x-urlbase", "https://auvious.video")
        .json(r#"{"queueName":"support","callbackUserName":"Ann","callbackNumbers":["{number}"]}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(CALLBACK, "a callback to another number than the code's")
        .header("x-applicationid", "{genesys}")
        .header("x-otpverificationid", "{verification}")
        .header("x-otpcode", "{code_sent}")
        .json(r#"{"queueName":"Support","callbackUserName":"Ann","callbackNumbers":["+306900000001"]}"#)
        .gives(400, &[Be("/error", "invalid_request")]),
    post(OLD_CALLBACK, "a callback, paid for by the code")
        .header("x-applicationid", "{genesys}")
        .header("x-otpverificationid", "{verification}")
        .header("x-otpcode", "{code_sent}")
        .json(r#"{"queueName":"Support","callbackUserName":"Ann","callbackNumbers":["{number}"]}"#)
        .gives(200, &[Have("/conferenceId"), Have("/genesys/conversation/id")]),
    post(CALLBACK, "and never a second time")
        .header("x-applicationid", "{genesys}")
        .header("x-otpverificationid", "{verification}")
        .header("x-otpcode", "{code_sent}")
        .json(r#"{"queueName":"Support","callbackUserName":"Ann","callbackNumbers":["{number}"]}"#)
        .gives(404, &[Be("/error", "not_found")]),
    delete(APPLICATION, "the applications deleted: Genesys Cloud's,")
        .of("genesys")
        .bearer("backend")
        .gives(204, &[Silence]),
    delete(APPLICATION, "Talkdesk's,")
        .of("talkdesk")
        .bearer("backend")
        .gives(204, &[Silence]),
    delete(APPLICATION, "and NICE's")
        .of("nice")
        .bearer("backend")
        .gives(204, &[Silence]),
];
