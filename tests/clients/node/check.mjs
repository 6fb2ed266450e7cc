// Two libraries of Node as published, with another base address: do they send, and do they hear?

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { WhatsAppClient } from "@kapso/whatsapp-cloud-api";
import { normalizeWebhook, verifySignature } from "@kapso/whatsapp-cloud-api/server";
import { WhatsAppAPI } from "whatsapp-api-js";
import { Text } from "whatsapp-api-js/messages";

const { GATEWAY, SANDBOX, API_KEY, PHONE_NUMBER_ID, WABA_ID } = process.env;
const VERIFY_TOKEN = "a-token-of-the-receiver";
const CUSTOMER = "255754000112";
const PATIENCE = 30_000;

function check(what, holds) {
  if (!holds) {
    console.error(`not ${what}`);
    process.exit(1);
  }
  console.log(`ok ${what}`);
}

async function eventually(what, look) {
  for (const until = Date.now() + PATIENCE; Date.now() < until; await sleep(100)) {
    const found = await look();
    if (found) {
      console.log(`ok ${what}`);
      return found;
    }
  }
  check(what, false);
}

async function call(base, path, body) {
  const answer = await fetch(base + path, {
    method: body ? "POST" : "GET",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_KEY}` },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** A library that knows one address: its own fetch is given another one, as its documentation shows. */
const elsewhere = (url, options) => fetch(String(url).replace(/^https:\/\/[^/]+/, GATEWAY), options);
const receiver = (appSecret) =>
  new WhatsAppAPI({
    token: API_KEY,
    appSecret,
    webhookVerifyToken: VERIFY_TOKEN,
    v: "v25.0",
    ponyfill: { fetch: elsewhere },
  });

let library = receiver("not known yet");
let secret;
const raw = [];
const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://receiver");
  try {
    if (request.method === "GET") {
      return response.end(library.get(Object.fromEntries(url.searchParams)));
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const signature = request.headers["x-hub-signature-256"];
    raw.push({ body, signature });
    await library.post(JSON.parse(body), body.toString(), signature);
    response.end("ok");
  } catch (error) {
    response.statusCode = error.httpStatus ?? 500;
    response.end(String(error));
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const endpoint = await call(GATEWAY, "/v1/endpoints", {
  url: `http://127.0.0.1:${server.address().port}/webhook`,
  format: "cloud_api",
  verify_token: VERIFY_TOKEN,
});
check("whatsapp-api-js answers the handshake of the gateway", endpoint.secret);
secret = endpoint.secret;
library = receiver(secret);
const messages = [];
const statuses = [];
library.on.message = (message) => messages.push(message);
library.on.status = (status) => statuses.push(status);

const body = "Habari ya asubuhi \u{1f600} – bei gani?";
await call(SANDBOX, "/control/inbound", {
  phone_number_id: PHONE_NUMBER_ID,
  from: CUSTOMER,
  profile_name: "Aïsha",
  message: { type: "text", text: { body } },
});
const heard = await eventually("whatsapp-api-js reads what a customer wrote", () => messages[0]);
check("the text is what was written", heard.message.text.body === body);
check("the customer has a name", heard.name === "Aïsha");
check("a message is marked as read", (await heard.received()).success);
const answered = await heard.reply(new Text("Karibu!"), true, "order-7");
const id = answered.messages[0].id;
check("an answer has an id", id.startsWith("wamid."));
await eventually("whatsapp-api-js hears how its message fares, by the id it was given", () => {
  const told = statuses.filter((status) => status.id === id);
  const words = told.map((status) => status.status);
  const back = told.every((status) => status.biz_opaque_callback_data === "order-7");
  return back && ["sent", "delivered", "read"].every((word) => words.includes(word));
});
const code = await library.createQR(PHONE_NUMBER_ID, "Habari", "png");
check("a QR code is made", (await library.retrieveQR(PHONE_NUMBER_ID)).data.some((one) => one.code === code.code));
check("a customer is blocked", (await library.blockUser(PHONE_NUMBER_ID, { phone: CUSTOMER })).block_users.added_users);

const client = new WhatsAppClient({ accessToken: API_KEY, baseUrl: GATEWAY, graphVersion: "v25.0" });
const sent = await client.messages.sendText({ phoneNumberId: PHONE_NUMBER_ID, to: CUSTOMER, body: "Habari" });
check("@kapso/whatsapp-cloud-api sends", sent.messages[0].id.startsWith("wamid."));
await client.messages.sendInteractiveButtons({
  phoneNumberId: PHONE_NUMBER_ID,
  to: CUSTOMER,
  bodyText: "Chagua",
  buttons: [
    { id: "yes", title: "Ndiyo" },
    { id: "no", title: "Hapana" },
  ],
});
await client.messages.sendImage({
  phoneNumberId: PHONE_NUMBER_ID,
  to: CUSTOMER,
  image: { link: "https://shop.example/kitenge.png", caption: "Kitenge" },
});
await eventually("its text, buttons and image reach Meta", async () => {
  const posts = (await call(SANDBOX, "/control/sent?limit=1000")).data.map((post) => post.body.type);
  return ["text", "interactive", "image"].every((type) => posts.includes(type));
});
let refusal;
await client.messages
  .sendText({ phoneNumberId: PHONE_NUMBER_ID, to: CUSTOMER, body: "x".repeat(4097) })
  .catch((error) => (refusal = error));
check("an error is one of the library's own", refusal?.code === 100);
const made = {
  name: "karibu_tena",
  language: "sw",
  category: "UTILITY",
  components: [{ type: "BODY", text: "Habari {{1}}, asante." }],
};
await call(GATEWAY, `/v25.0/${WABA_ID}/message_templates`, made);
const templates = await client.templates.list({ businessAccountId: WABA_ID });
check("templates are listed", templates.data.some((template) => template.name === made.name));
check(
  "it verifies every webhook that came",
  raw.length > 3 &&
    raw.every((one) =>
      verifySignature({ appSecret: secret, rawBody: one.body, signatureHeader: one.signature }),
    ),
);
const read = raw.map((one) => normalizeWebhook(JSON.parse(one.body)));
check("it reads messages and statuses", read.some((one) => one.messages.length) && read.some((one) => one.statuses.length));
server.close();
server.closeAllConnections();
