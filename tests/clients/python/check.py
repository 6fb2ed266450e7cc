"""pywa as published, with another base address: does it send, and does it hear?"""

import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pywa
from pywa import types

GATEWAY, SANDBOX, KEY, NUMBER, WABA = (
    os.environ[name] for name in ("GATEWAY", "SANDBOX", "API_KEY", "PHONE_NUMBER_ID", "WABA_ID")
)
VERIFY_TOKEN = "a-token-of-the-receiver"
CUSTOMER = "255754000111"
# Meta names people by it since usernames came, and the library relies on it.
USER_ID = "TZ.13491208655302741918"
PATIENCE = 30


def call(base, path, body=None, method=None):
    request = urllib.request.Request(
        base + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {KEY}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def client(secret):
    wa = pywa.WhatsApp(
        phone_id=NUMBER,
        token=KEY,
        waba_id=WABA,
        server=None,
        verify_token=VERIFY_TOKEN,
        app_secret=secret,
        validate_updates=True,
    )
    # The base address, and nothing else.
    wa.api._session.base_url = f"{GATEWAY}/v25.0"
    return wa


class Receiver(BaseHTTPRequestHandler):
    """Hands everything to the library, which knows Meta and nothing of us."""

    wa = None

    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        told, status = self.wa.webhook_challenge_handler(
            query.get("hub.verify_token", [None])[0], query.get("hub.challenge", [None])[0]
        )
        self.answer(status, (told or "").encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        refused = self.wa.webhook_update_validator(body, self.headers.get("x-hub-signature-256"))
        told, status = refused or self.wa.webhook_update_handler(body)
        self.answer(status, str(told).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def eventually(what, look):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found:
            print(f"ok {what}", flush=True)
            return found
        time.sleep(0.1)
    sys.exit(f"in {PATIENCE} s: not {what}")


def check(what, holds):
    if not holds:
        sys.exit(f"not {what}")
    print(f"ok {what}", flush=True)


def main():
    # The secret is made with the endpoint, and the endpoint is asked before it is made.
    Receiver.wa = client("not known yet")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/webhook"
    endpoint = call(
        GATEWAY, "/v1/endpoints", {"url": url, "format": "cloud_api", "verify_token": VERIFY_TOKEN}
    )
    check("the library answers the handshake of the gateway", endpoint["secret"])
    wa = Receiver.wa = client(endpoint["secret"])

    heard, statuses, others = [], [], []
    wa.add_handlers(
        pywa.handlers.MessageHandler(lambda _, message: heard.append(message)),
        pywa.handlers.MessageStatusHandler(lambda _, status: statuses.append(status)),
        pywa.handlers.CallbackButtonHandler(lambda _, press: others.append(press)),
    )

    # What a customer writes, signed as Meta signs, letters beyond ASCII included.
    written = {"type": "text", "text": {"body": "Habari ya asubuhi \U0001f600 – bei gani?"}}
    inbound = {
        "phone_number_id": NUMBER,
        "from": CUSTOMER,
        "user_id": USER_ID,
        "profile_name": "Aïsha",
        "message": written,
    }
    call(SANDBOX, "/control/inbound", inbound)
    message = eventually("the library reads what a customer wrote", lambda: heard and heard[0])
    check("the text is what was written", message.text == written["text"]["body"])
    check("the customer has a name", message.from_user.name == "Aïsha")

    check("a message is marked as read", message.mark_as_read())
    sent = message.reply("Karibu!", quote=True, tracker="order-7")
    check("an answer has an id", sent.id.startswith("wamid."))

    def reported():
        mine = [status for status in statuses if status.id == sent.id]
        return {status.status.value for status in mine} >= {"sent", "delivered", "read"} and mine

    mine = eventually("the library hears how its message fares, by the id it was given", reported)
    check("what the caller said of it comes back", all(status.tracker == "order-7" for status in mine))

    wa.send_message(
        CUSTOMER, "Chagua", buttons=[types.Button("Ndiyo", callback_data="yes"), types.Button("Hapana", callback_data="no")]
    )
    wa.send_image(CUSTOMER, "https://shop.example/kitenge.png", caption="Kitenge")
    wa.send_location(CUSTOMER, latitude=-6.79, longitude=39.2, name="Duka")
    wa.send_reaction(CUSTOMER, "\U0001f44d", message_id=message.id)
    eventually(
        "buttons, an image, a place and a reaction reach Meta",
        lambda: {"interactive", "image", "location", "reaction"}
        <= {post["body"].get("type") for post in call(SANDBOX, "/control/sent?limit=1000")["data"]},
    )
    press = {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Ndiyo"}}}
    call(SANDBOX, "/control/inbound", {**inbound, "message": press})
    eventually("the library reads which button was pressed", lambda: others and others[0].data == "yes")

    try:
        wa.send_message(CUSTOMER, "x" * 4097)
        sys.exit("a text that is too long was taken")
    except pywa.errors.WhatsAppError as error:
        check("an error is one of the library's own", error.code == 100 and "4096" in (error.details or ""))

    check("the profile is written", wa.update_business_profile(about="Duka la vitenge"))
    check("the profile is read", wa.get_business_profile().about == "Duka la vitenge")
    check("the number is read", wa.get_business_phone_number().id == NUMBER)
    body = {"type": "BODY", "text": "Habari {{1}}, asante.", "example": {"body_text": [["Asha"]]}}
    made = {"name": "karibu_tena", "language": "sw", "category": "UTILITY", "components": [body]}
    call(GATEWAY, f"/v25.0/{WABA}/message_templates", made)
    check("templates are listed", "karibu_tena" in [template.name for template in wa.get_templates()])
    code = wa.create_qr_code("Habari", image_type="PNG")
    check("a QR code is made", code.code in [known.code for known in wa.get_qr_codes()])
    server.shutdown()


main()
