"""A mail server (PyPI aiosmtpd) that prints its port and then each message as one line of JSON, as Python's own e-mail
package reads it."""

import argparse
import asyncio
import json
import ssl
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--tls", choices=["starttls", "implicit", "none"], default="starttls")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--refuse", help="what every recipient is answered")
options = parser.parse_args()


def say(what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if options.refuse:
            return options.refuse.replace("ADDRESS", address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        sender = mail["From"].addresses[0]
        say(
            {
                "greeting": session.host_name,
                "tls": options.tls != "none" if options.tls == "implicit" else session.ssl is not None,
                "user": (session.auth_data or b"").decode(),
                "envelope_from": envelope.mail_from,
                "envelope_to": envelope.rcpt_tos,
                "headers": sorted(name.lower() for name in mail.keys()),
                "from_name": sender.display_name,
                "from": sender.addr_spec,
                "to": mail["To"].addresses[0].addr_spec,
                "subject": mail["Subject"],
                "message_id": mail["Message-ID"],
                "auto_submitted": mail["Auto-Submitted"],
                "language": mail["Content-Language"],
                "type": mail.get_content_type(),
                "charset": mail.get_content_charset(),
                "text": mail.get_content().replace("\r\n", "\n"),
                "is_ascii": envelope.content.isascii(),
                "longest_line": max(len(line) for line in envelope.content.split(b"\r\n")),
                "defects": [str(defect) for defect in mail.defects],
            }
        )
        return "250 2.0.0 OK"


def authenticate(server, session, envelope, mechanism, data):
    fits = data.login == options.user.encode() and data.password == options.password.encode()
    return AuthResult(success=fits, handled=False, auth_data=data.login)


async def serve():
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)
    starttls = options.tls == "starttls"

    def session():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if options.user else None,
            auth_required=bool(options.user),
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    tls = context if options.tls == "implicit" else None
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
    say({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(serve())
