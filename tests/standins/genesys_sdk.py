"""The PyPI package PureCloudPlatformClientV2 as an application uses it: logins, queues, a callback, the person.

    python genesys_sdk.py --port PORT --ca FILE --client-id ID --client-secret SECRET --code CODE

`gateway_configuration` is the package's own way to another host, with a path of its own for logins, and `ssl_ca_cert`
its own way to trust an authority.
"""

import argparse
import json

import PureCloudPlatformClientV2 as platform
from PureCloudPlatformClientV2.rest import ApiException

SUPPORT = "11111111-1111-4111-8111-111111111111"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("port", "ca", "client-id", "client-secret", "code"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def refusal(call) -> dict:
    """The body of the exception a call must end in."""
    try:
        call()
    except ApiException as error:
        body = json.loads(error.body)
        if "status" in body and body["status"] != error.status:
            raise
        return body
    raise AssertionError("this must be refused")


def main() -> dict:
    told = options()
    platform.configuration.ssl_ca_cert = told.ca
    platform.configuration.gateway_configuration = platform.GatewayConfiguration(
        host="127.0.0.1", port=int(told.port), path_params_login="/genesys/login"
    )

    wrong = refusal(lambda: platform.ApiClient().get_client_credentials_token(told.client_id, "wrong"))
    client = platform.ApiClient().get_client_credentials_token(told.client_id, told.client_secret)

    routing = platform.RoutingApi(client)
    named = routing.get_routing_queues(name="sales*")
    pages, listing = [], None
    while listing is None or len(pages) < listing.page_count:
        listing = routing.get_routing_queues(name="Queue*", page_number=len(pages) + 1)
        pages.append(len(listing.entities))

    conversations = platform.ConversationsApi(client)
    command = platform.CreateCallbackCommand()
    command.queue_id = SUPPORT
    command.callback_numbers = ["+15550100"]
    command.data = {"from": "Python"}
    created = conversations.post_conversations_callbacks(command)
    command.queue_id = "00000000-0000-4000-8000-000000000000"
    refused = refusal(lambda: conversations.post_conversations_callbacks(command))

    faceless = refusal(lambda: platform.UsersApi(client).get_users_me())
    person, _ = platform.ApiClient().get_code_authorization_token(
        told.client_id, told.client_secret, told.code, "https://app.example/"
    )
    me = platform.UsersApi(person).get_users_me(expand=["authorization"])

    return {
        "login": wrong["error"],
        "named": [queue.name for queue in named.entities],
        "pages": pages,
        "total": listing.total,
        "conversation": created.conversation.id,
        "kinds": [identifier.type for identifier in created.callback_identifiers],
        "refused": refused,
        "faceless": faceless,
        "me": me.name,
        "permissions": me.authorization.permissions,
    }


print(json.dumps(main()))
