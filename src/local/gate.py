"""Runs MiniStack behind a gate: only the user who started the emulator can use it.

MiniStack runs functions as plain processes and trusts whoever calls it as `test` or as an account's number. Without the
gate, a web page or another user of the machine could deploy a function, and so run code as the developer.

usage: gate.py CREDENTIALS IDLE_SECONDS

CREDENTIALS is the AWS credentials file whose session token opens the gate. The emulator ends after IDLE_SECONDS without
a request. MiniStack's own settings are environment variables.
"""

import configparser
import hashlib
import hmac
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from urllib.parse import parse_qs

import ministack.app as ministack
from ministack.core import lambda_runtime, sigv4
from ministack.core.iam_evaluator import (
    CredentialResolutionError,
    find_iam_access_key_account,
    is_root_access_key,
    resolve_credential,
)
from ministack.services import apigateway_v1, codebuild, sts

HEALTH = "/_split-pipeline/health"
NONCE = re.compile("[0-9a-f]{32}")
# What API Gateway takes in one request, and more than any other request of the pipeline: Lambda's zip.
WEBHOOK_BYTES = 10 << 20
SIGNED_BYTES = 80 << 20
# What signs a request in its query, in lower case; MiniStack verifies those for S3 alone.
QUERY_SIGNATURES = {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature"}
# How often the table of connections is read before one that it does not have counts as another user's.
READINGS = 20
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# A webhook's sender has no other headers that matter; MiniStack would read credentials and actions from some.
WEBHOOK_HEADERS = {b"accept", b"content-encoding", b"content-length", b"content-type", b"host", b"user-agent"}


class Refused(Exception):
    """A request that may not reach MiniStack, with AWS's code for the reason."""

    def __init__(self, reason, code="AccessDeniedException", status=403):
        super().__init__(reason)
        self.code = code
        self.status = status


class Gate:
    """An ASGI application that passes requests on to MiniStack, or refuses them."""

    def __init__(self, application, token, version):
        self.application = application
        self.token = token
        self.version = version
        self.under_way = 0
        self.last_used = time.monotonic()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.application(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        try:
            refuse_browsers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
            if scope["path"] == HEALTH:
                return await answer(send, 200, self.health(scope))
            if is_webhook(scope["path"]):
                scope = webhook_request(scope)
                receive = replayed(await read(receive, WEBHOOK_BYTES), receive)
                return await self.application(scope, receive, self.used_if_answered(send))
            scope, receive = await self.admitted(scope, receive)
        except Refused as refused:
            return await refuse(scope, send, refused)
        self.under_way += 1
        try:
            await self.application(scope, receive, send)
        finally:
            self.under_way -= 1
            self.last_used = time.monotonic()

    def health(self, scope):
        """Proves to a client which knows the token that this server knows it as well, without telling it."""
        nonce = parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0]
        if scope["method"] != "GET" or not NONCE.fullmatch(nonce):
            raise Refused("this request for its health")
        proof = hmac.new(self.token.encode(), nonce.encode(), hashlib.sha256).hexdigest()
        return {"version": self.version, "proof": proof}

    def used_if_answered(self, send):
        """Sends the answers of the webhook. Without its secret path, nobody keeps an idle emulator alive."""

        async def sent(message):
            if message.get("status", 404) not in (403, 404):
                self.last_used = time.monotonic()
            await send(message)

        return sent

    async def admitted(self, scope, receive):
        """Returns the request as MiniStack is to see it."""
        headers = scope["headers"]
        given = [value for name, value in headers if name.lower() == b"x-amz-security-token"]
        if len(given) == 1 and hmac.compare_digest(given[0], self.token.encode()):
            # The gate's token is none of MiniStack's.
            kept = [(name, value) for name, value in headers if name.lower() != b"x-amz-security-token"]
            return {**scope, "headers": kept}, receive
        body = await read(receive, SIGNED_BYTES)
        verify_signature(scope, body)
        return scope, replayed(body, receive)

    def end_when_idle(self, seconds):
        """Ends this process and the functions' after so many seconds without a request."""
        while (left := self.idle_left(seconds)) > 0:
            time.sleep(left)
        os.killpg(0, signal.SIGTERM)

    def idle_left(self, seconds):
        """The seconds that are left until nothing has asked for so many."""
        return seconds if self.under_way else self.last_used + seconds - time.monotonic()


def refuse_browsers(headers):
    """Refuses what only browsers send, and names that only an attacker's DNS gives to this machine."""
    hosts = 0
    for name, value in headers:
        name = name.lower()
        if name == "origin" or name.startswith("sec-fetch-"):
            raise Refused("requests of web pages")
        if name == "host":
            hosts += 1
            if value.rsplit(":", 1)[0] not in LOOPBACK and value not in LOOPBACK:
                raise Refused("requests for other hosts")
    if hosts > 1:
        raise Refused("requests for several hosts")


def is_webhook(path):
    """Whether MiniStack invokes an API for this path; its secret part is the webhook's own credential."""
    parts = path.split("/", 5)
    return len(parts) > 4 and parts[1] == "restapis" and parts[4] == "_user_request_"


def webhook_request(scope):
    """Returns a request of the webhook's sender as MiniStack is to see it: it can only invoke an API that there is."""
    if apigateway_v1.find_api_scope(scope["path"].split("/")[2]) is None:
        raise Refused("requests for an API that it does not have", "ForbiddenException")
    kept = [(name, value) for name, value in scope["headers"] if name.lower() in WEBHOOK_HEADERS]
    return {**scope, "headers": kept, "query_string": b""}


def verify_signature(scope, body):
    """Refuses a request that is not signed with the secret of a key which this emulator issued.

    MiniStack itself does not verify every request: not those of its other protocols, nor some with a signed query.
    """
    unknown = Refused(
        "requests without its credentials: `split-pipeline local status` names their file", "InvalidClientTokenId"
    )
    headers = {}
    for name, value in scope["headers"]:
        name, value = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    is_signed = headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
    if not is_signed or scope["path"].startswith("/_") or QUERY_SIGNATURES & {name.lower() for name in query}:
        raise unknown
    signature = sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple) or is_root_access_key(signature.access_key_id):
        raise unknown
    key, token = signature.access_key_id, headers.get("x-amz-security-token", "")
    session = sts._sessions.get(key)
    account = session.get("AccountId") if session else find_iam_access_key_account(key)
    credential = resolve_credential(key, account, token)
    if isinstance(credential, CredentialResolutionError):
        raise unknown
    path = scope["raw_path"].decode("latin-1")
    failure = sigv4.header_signature_failure(
        signature, credential.secret_access_key, scope["method"], path, query, headers, body
    )
    failure = failure or sigv4.request_time_failure(signature)
    if failure:
        raise Refused("a request whose signature is wrong", failure[0])


async def read(receive, limit):
    """Reads the body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            raise Refused(f"bodies of more than {limit >> 20} MiB", "RequestEntityTooLargeException", 413)
        if not message.get("more_body", False):
            return bytes(body)


def replayed(body, receive):
    """Gives MiniStack a body that was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message():
        return messages.pop() if messages else await receive()

    return next_message


async def refuse(scope, send, refused):
    """Answers as AWS does, in XML to a form of its query protocol and in JSON to everything else."""
    message = f"the local emulator refuses {refused}"
    if any(name.lower() == b"content-type" and b"form-urlencoded" in value for name, value in scope["headers"]):
        error = f"<Error><Code>{refused.code}</Code><Message>{message}</Message></Error>"
        return await respond(send, refused.status, b"text/xml", f"<ErrorResponse>{error}</ErrorResponse>")
    await answer(send, refused.status, {"__type": refused.code, "message": message})


async def answer(send, status, body):
    await respond(send, status, b"application/json", json.dumps(body))


async def respond(send, status, content_type, text):
    content = text.encode()
    headers = [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def salt_credentials(token):
    """Makes the credentials of functions unguessable: MiniStack derives them from names alone."""
    def sha256(text):
        return hmac.new(token.encode(), b"credentials of functions: " + text, hashlib.sha256)

    lambda_runtime.hashlib = SimpleNamespace(sha256=sha256)


def guard_runtime_api():
    """Guards the ports on which functions fetch their events, as the gate guards MiniStack's own."""
    parse_request = BaseHTTPRequestHandler.parse_request

    def guarded(self):
        if not parse_request(self):
            return False
        try:
            refuse_browsers(self.headers.items())
            refuse_other_users(self)
        except Refused as refused:
            self.send_error(403, str(refused))
            return False
        return True

    BaseHTTPRequestHandler.parse_request = guarded


def refuse_other_users(handler):
    """Refuses connections of other users, where the system tells whose a connection is (Linux: /proc/net/tcp)."""
    if getattr(handler, "is_of_this_user", False) or not os.path.exists("/proc/net/tcp"):
        return
    ends = [socket_name(handler.client_address), socket_name(handler.connection.getsockname())]
    # While other connections come and go, a reading of the table may leave out one that is there.
    users = next(filter(None, (users_of(ends) for _ in range(READINGS))), set())
    if users != {str(os.geteuid())}:
        raise Refused("requests of other users")
    handler.is_of_this_user = True


def users_of(ends):
    """The users that own the socket of an open connection with its ends in this order.

    A closed one has no inode, and counts as root's.
    """
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return {row[7] for row in rows if row[1:4] == [*ends, "01"] and row[9] != "0"}


def socket_name(address):
    """An IPv4 address and port as /proc/net/tcp has them: the address in the processor's byte order."""
    number = int.from_bytes(bytes(map(int, address[0].split("."))), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"


def main():
    credentials, idle_seconds = sys.argv[1:]
    file = configparser.RawConfigParser()
    with open(credentials, encoding="ascii") as text:
        file.read_file(text)
    token = file["default"]["aws_session_token"]
    salt_credentials(token)
    guard_runtime_api()
    # The one directory that no environment variable moves out of /tmp, where other users can write.
    codebuild.WORKSPACE = os.path.join(tempfile.gettempdir(), "codebuild")
    gate = Gate(ministack.app, token, ministack._version())
    threading.Thread(target=gate.end_when_idle, args=[float(idle_seconds)], daemon=True).start()
    ministack.app = gate
    # MiniStack parses its own command line.
    sys.argv[1:] = []
    ministack.main()


main()
