// The npm package purecloud-platform-client-v2 as an application uses it: logins, queues, a callback, the person.
//
//     node genesys_sdk.mjs --port PORT --ca FILE --client-id ID --client-secret SECRET --code CODE
//
// `setGateway` is the package's own way to another host, with a path of its own for logins; Node.js trusts the
// authority that start.mjs hands it.

import { installed, must, options, run } from "../clients/start.mjs";

const told = options(["port", "client-id", "client-secret", "code"]);
const SUPPORT = "11111111-1111-4111-8111-111111111111";

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("this must be refused");
}

run(async () => {
  const { default: platform } = await installed("purecloud-platform-client-v2");
  const client = platform.ApiClient.instance;
  client.setGateway({ host: "127.0.0.1", port: Number(told.port), path_params_login: "/genesys/login" });

  const wrong = await refusal(() => client.loginClientCredentialsGrant(told["client-id"], "wrong"));
  const login = await client.loginClientCredentialsGrant(told["client-id"], told["client-secret"]);
  must(login.accessToken.length > 0 && login.tokenExpiryTime > Date.now(), "there is a token, and it lives");

  const routing = new platform.RoutingApi();
  const named = await routing.getRoutingQueues({ name: "sales*" });
  const pages = [];
  let listing;
  do {
    listing = await routing.getRoutingQueues({ name: "Queue*", pageNumber: pages.length + 1 });
    pages.push(listing.entities.length);
  } while (pages.length < listing.pageCount);

  const conversations = new platform.ConversationsApi();
  const command = { queueId: SUPPORT, callbackNumbers: ["+15550100"], data: { from: "JavaScript" } };
  const created = await conversations.postConversationsCallbacks(command);
  const unknown = { ...command, queueId: "00000000-0000-4000-8000-000000000000" };
  const refused = await refusal(() => conversations.postConversationsCallbacks(unknown));

  const users = new platform.UsersApi();
  const faceless = await refusal(() => users.getUsersMe());
  await client.loginCodeAuthorizationGrant(told["client-id"], told["client-secret"], told.code, "https://app.example/");
  const me = await users.getUsersMe({ expand: ["authorization"] });

  return {
    login: wrong.response.data.error,
    named: named.entities.map((queue) => queue.name),
    pages,
    total: listing.total,
    conversation: created.conversation.id,
    kinds: created.callbackIdentifiers.map((identifier) => identifier.type),
    refused,
    faceless,
    me: me.name,
    permissions: me.authorization.permissions,
  };
});
