"""A mail server (aiosmtpd) for one test: writes each message that it takes to a file as JSON.

    mail_server.py DIRECTORY [--starttls CERTIFICATE KEY] [--user USER PASSWORD]

Prints its port. Refuses nobody@… (550), and later@… (451) the first two times.
"""
import argparse
import asyncio
import email
import email.policy
import json
import logging
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Mailbox:
    def __init__(self, directory):
        self.directory = directory
        self.taken = 0
        self.put_off = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later@") and self.put_off < 2:
            self.put_off += 1
            return "451 4.7.1 come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        seen = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                "user": session.auth_data, "headers": {k: str(v) for k, v in message.items()},
                "defects": [str(d) for d in message.defects], "text": message.get_content(),
                "longest_line": max(len(line) for line in envelope.content.split(b"\r\n"))}
        whole = os.path.join(self.directory, f"{self.taken}.part")
        with open(whole, "w", encoding="utf-8") as out:
            json.dump(seen, out, ensure_ascii=False)
        os.rename(whole, os.path.join(self.directory, f"{self.taken}.json"))
        self.taken += 1
        return "250 taken"


def conversation(mailbox, tls, login):
    def check(server, session, envelope, mechanism, data):
        good = [data.login.decode(), data.password.decode()] == login
        return AuthResult(success=good, handled=False, auth_data=data.login.decode())

    return SMTP(mailbox, tls_context=tls, require_starttls=tls is not None,
                authenticator=check if login else None, auth_required=bool(login))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--starttls", nargs=2)
    parser.add_argument("--user", nargs=2)
    args = parser.parse_args()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # who hangs up is part of the tests
    tls = None
    if args.starttls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*args.starttls)
    asyncio.run(serve(Mailbox(args.directory), tls, args.user))


async def serve(mailbox, tls, login):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: conversation(mailbox, tls, login), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


main()
