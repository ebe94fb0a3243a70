#!/usr/bin/env python3
"""A fraud model to try CREATE FUNCTION ... LANGUAGE HTTP with: a score from 0 to 1 for an order.

    fraud_model.py [--port 9000] [--delay-ms 0] [--fail-every 0] [--model-version fraud-1]

    CREATE FUNCTION fraud_score(amount DOUBLE, country STRING, account_age_days INT) RETURNS DOUBLE
      LANGUAGE HTTP AS 'http://127.0.0.1:9000/score';

POST /score  {"rows": [[120.5, "DE", 400], ...]}
          -> {"results": [0.21, {"error": "..."}, ...], "version": "fraud-1"}
GET /health  {"status": "ok", "version": "fraud-1", "requests": 12, "rows": 340}

The same order always has the same score. An order without amount or country, or with an amount that
is no number of 0 or more, is an error of that row; an unknown account age counts as a new account.
--delay-ms makes the model slow; --fail-every N answers each Nth request with status 503.
"""
import argparse
import json
import math
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# How much more often than elsewhere an order from there turned out to be fraud.
COUNTRY_RISK = {"AT": -0.6, "CH": -0.6, "DE": -0.5, "FR": -0.3, "GB": -0.2, "US": 0.0, "BR": 0.4,
                "NG": 0.7}
UNKNOWN_COUNTRY_RISK = 0.5


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def score(amount, country, account_age_days):
    """A logistic model: dear orders of young accounts are risky."""
    if not is_number(amount) or amount < 0:
        raise ValueError(f"amount must be a number of 0 or more, not {json.dumps(amount)}")
    if not isinstance(country, str) or not country:
        raise ValueError(f"country must be its code, not {json.dumps(country)}")
    age = account_age_days if is_number(account_age_days) else 0
    logit = (-3.0 + 0.9 * math.log10(1 + amount) + COUNTRY_RISK.get(country, UNKNOWN_COUNTRY_RISK)
             - 0.004 * min(max(age, 0), 1000))
    return round(1 / (1 + math.exp(-logit)), 6)


def answer_to(row):
    if not isinstance(row, list) or len(row) != 3:
        return {"error": "a row is [amount, country, account_age_days]"}
    try:
        return score(*row)
    except ValueError as error:
        return {"error": str(error)}


class FraudModel(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        self.lock = threading.Lock()
        self.requests = 0
        self.rows = 0

    def count(self, rows):
        with self.lock:
            self.requests += 1
            self.rows += rows
            return self.requests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path != "/health":
            return self.say(404, {"error": f"there is no {self.path}: POST /score, GET /health"})
        server = self.server
        self.say(200, {"status": "ok", "version": server.options.model_version,
                       "requests": server.requests, "rows": server.rows})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/score":
            return self.say(404, {"error": f"there is no {self.path}: POST /score, GET /health"})
        try:
            rows = json.loads(body)["rows"]
            results = [answer_to(row) for row in rows]
        except (ValueError, KeyError, TypeError):
            return self.say(400, {"error": "the body is {\"rows\": [[amount, country, age], ...]}"})
        options = self.server.options
        number = self.server.count(len(rows))
        time.sleep(options.delay_ms / 1000)
        if options.fail_every and number % options.fail_every == 0:
            return self.say(503, {"error": "the model is busy"})
        self.say(200, {"results": results, "version": options.model_version})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description="Scores orders: POST /score, GET /health.")
    parser.add_argument("--port", type=int, default=9000, help="0: a free one, which is printed")
    parser.add_argument("--delay-ms", type=int, default=0, help="before each answer")
    parser.add_argument("--fail-every", type=int, default=0, help="each Nth request gets a 503")
    parser.add_argument("--model-version", default="fraud-1", help="said with each answer")
    server = FraudModel(parser.parse_args())
    print(f"fraud model listens at http://127.0.0.1:{server.server_port}/score", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
