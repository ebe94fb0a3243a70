#!/usr/bin/env python3
"""ClickHouse's HTTP interface before the embedded engine (PyPI chdb), for one test at a time.

    clickhouse_server.py DIRECTORY PORT_FILE [--user NAME --password TEXT]

Listens on 127.0.0.1 and writes its port to PORT_FILE. What is there, as a server has it: POST and GET,
the statement in the body, in `query`, or split over both; `database`, `default_format` and settings as
parameters; X-ClickHouse-User and -Key or Basic; an error's code in X-ClickHouse-Exception-Code, its text
in the body. What is not: sessions (`session_id` is accepted), compression, progress. Statements run one
at a time, to their end, whether or not who asked is still there.
"""
import argparse
import base64
import http.server
import os
import re
import threading
import urllib.parse

import chdb.session

# Of the interface, not settings of the engine.
PARAMETERS = {"query", "database", "default_format", "session_id", "session_timeout", "session_check",
              "query_id", "wait_end_of_query", "buffer_size", "compress", "decompress", "quota_key",
              "client_protocol_version", "enable_http_compression", "user", "password",
              "send_progress_in_http_headers", "http_headers_progress_interval_ms", "readonly"}
STATUS = {60: 404, 81: 404, 47: 404, 46: 404, 62: 400, 516: 403}


class Engine:
    """One engine; settings and the database hold for one statement."""

    def __init__(self, directory):
        self.session = chdb.session.Session(directory)
        self.lock = threading.Lock()
        self.settings = {}
        self.database = "default"

    def ask(self, statement, database, default_format, settings):
        with self.lock:
            if database != self.database:
                self.session.query(f"USE {quoted(database)}")
                self.database = database
            for name in self.settings.keys() - settings.keys():
                self.session.query(f"SET {name} = DEFAULT")
            for name, value in settings.items():
                if self.settings.get(name) != value:
                    self.session.query(f"SET {name} = {literal(value)}")
            self.settings = settings
            return self.session.query(statement, default_format).bytes()


def quoted(name):
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text):
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if urllib.parse.urlsplit(self.path).path == "/ping":
            return self.answer(200, b"Ok.\n")
        return self.run(b"")

    def do_POST(self):
        return self.run(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def run(self, body):
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, True))
        if not self.is_welcome(parameters):
            return self.refuse(516, "Authentication failed: password is incorrect, or there is no user with such name.")
        statement = parameters.get("query", "")
        statement = (statement + "\n" if statement else "") + body.decode()
        settings = {k: v for k, v in parameters.items()
                    if k not in PARAMETERS and not k.startswith("param_")}
        try:
            rows = self.server.engine.ask(statement, parameters.get("database") or "default",
                                          parameters.get("default_format", "TabSeparated"), settings)
        except Exception as error:  # what the engine says, whatever its class
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            return self.refuse(int(code.group(1)) if code else 1002, text, stated=code is not None)
        return self.answer(200, rows)

    def is_welcome(self, parameters):
        user = self.headers.get("X-ClickHouse-User", parameters.get("user"))
        password = self.headers.get("X-ClickHouse-Key", parameters.get("password", ""))
        scheme, _, basic = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(basic).decode().partition(":")
        return (user or "default", password) == self.server.login

    def refuse(self, code, text, stated=False):
        message = text if stated else f"Code: {code}. DB::Exception: {text}"
        self.answer(STATUS.get(code, 500), message.encode(), [("X-ClickHouse-Exception-Code", str(code))])

    def answer(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("X-ClickHouse-Server-Display-Name", "chdb")
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # who asked was killed
            pass

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("port_file")
    parser.add_argument("--user", default="default")
    parser.add_argument("--password", default="")
    arguments = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.engine = Engine(arguments.directory)
    server.login = (arguments.user, arguments.password)
    with open(arguments.port_file + ".new", "w", encoding="utf-8") as file:
        file.write(f"{server.server_address[1]}\n")
    os.replace(arguments.port_file + ".new", arguments.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
