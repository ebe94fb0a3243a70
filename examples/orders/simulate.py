#!/usr/bin/env python3
"""Simulates the checkout of a shop: customers into Redis, currency rates and orders as events.

Orders go to POST {url}/v1/events/orders; rates, a new version of each every 10 seconds, with their
key straight into the topic currency-rates. About 1 % of the orders are sent twice, 1 % come 10 to 60 seconds late, and 1 % are broken
(--broken): cut off, a negative total, an unknown currency, a missing field, a total that is a word.
Of 50 customers one has no profile.

    simulate.py --rate 100 --redis-port 6379              # until Ctrl-C
    simulate.py --broken 1 --count 1000 --rate 2000       # 1,000 broken ones
"""

import argparse
import http.client
import json
import random
import signal
import socket
import sys
import time
import urllib.parse

CUSTOMERS = 2000
WITHOUT_PROFILE = 50  # every 50th customer
DUPLICATE_SHARE = 0.01
LATE_SHARE = 0.01
FLUSH_SECONDS = 0.1
RATES_SECONDS = 10
BATCH_ORDERS = 500

COUNTRIES = {"US": 30, "DE": 18, "GB": 14, "FR": 10, "JP": 9, "CN": 8, "BR": 6, "NG": 5}
CURRENCY_OF = {"US": "USD", "DE": "EUR", "GB": "GBP", "FR": "EUR", "JP": "JPY", "CN": "CNY",
               "BR": "USD", "NG": "USD"}
USD_OF_ONE = {"USD": 1.0, "EUR": 1.09, "GBP": 1.27, "JPY": 0.0065, "CNY": 0.138}
SKUS = [("sku-%03d" % n, 3 * 1.033 ** n) for n in range(200)]  # name, price in dollars
BROKEN_KINDS = ("cut_off", "negative_total", "unknown_currency", "missing_field", "word_as_total")


def country_of(customer):
    """The same each time, so that a second run finds what the first one stored."""
    return random.Random(customer).choices(list(COUNTRIES), list(COUNTRIES.values()))[0]


def profile(customer):
    rng = random.Random(-customer)
    return {"country": country_of(customer), "account_age_days": int(rng.expovariate(1 / 400)),
            "lifetime_spend": round(rng.expovariate(1 / 900), 2)}


def store_customers(port):
    """HSET customer:cN … for all that have a profile, in Redis' own protocol."""
    def command(*words):
        words = [str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

    commands = [command("HSET", "customer:c%d" % n, *sum(profile(n).items(), ()))
                for n in range(1, CUSTOMERS + 1) if n % WITHOUT_PROFILE]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"".join(commands))
        answers = s.makefile("rb")
        for _ in commands:
            line = answers.readline()
            if not line.startswith(b":"):
                raise OSError("Redis answered %r to HSET" % line)
    return len(commands)


class Checkout:
    """Makes orders: order() gives (kind, order id, JSON text)."""

    def __init__(self, rng, broken_share):
        self.rng = rng
        self.broken_share = broken_share
        self.run = "%x" % int(time.time() * 1000)  # ids of several runs differ
        self.count = 0
        self.again = []  # (when, order id, JSON text): to be sent a second time

    def order(self, now):
        rng = self.rng
        if self.again and self.again[0][0] <= now:
            return ("duplicate",) + self.again.pop(0)[1:]
        r = rng.random()
        late = rng.uniform(10, 60) if r < LATE_SHARE else rng.uniform(0, 1)
        self.count += 1
        order_id, text = self.good_order(now - late)
        if rng.random() < self.broken_share:
            kind = rng.choice(BROKEN_KINDS)
            return kind, order_id, spoil(kind, text)
        if rng.random() < DUPLICATE_SHARE:
            self.again.append((now + 1, order_id, text))
        return "late" if r < LATE_SHARE else "on_time", order_id, text

    def good_order(self, order_time):
        rng = self.rng
        customer = rng.randint(1, CUSTOMERS)
        currency = CURRENCY_OF[country_of(customer)]
        items, total = [], 0.0
        for sku, usd in rng.choices(SKUS, k=rng.choice((1, 1, 1, 2, 3))):
            price = round(usd / USD_OF_ONE[currency], 2)
            items.append({"sku": sku, "quantity": rng.choice((1, 1, 1, 2, 5)), "price": price})
            total += items[-1]["quantity"] * price
        order_id = "ord_%s_%d" % (self.run, self.count)
        return order_id, json.dumps({
            "order_id": order_id, "customer_id": "c%d" % customer, "items": items,
            "total": round(total, 2), "currency": currency,
            "payment_method": rng.choice(("card", "card", "card", "invoice", "wallet")),
            "order_time": time_text(order_time)})


def spoil(kind, text):
    """A broken form of a good order."""
    if kind == "cut_off":
        return text[: len(text) // 2].rstrip()
    order = json.loads(text)
    if kind == "negative_total":
        order["total"] = -order["total"]
    elif kind == "unknown_currency":
        order["currency"] = "XXX"
    elif kind == "missing_field":
        del order["customer_id"]
    else:
        order["total"] = "a lot"
    return json.dumps(order)


def time_text(seconds):
    """2026-01-31 12:00:00.123 (UTC), as Flink's JSON format writes timestamps."""
    whole = int(seconds)
    return "%s.%03d" % (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(whole)),
                        int((seconds - whole) * 1000))


class Sender:
    """Posts batches over one connection. One that was not answered is sent again, as a client does
    that must not lose anything; what the first attempt stored is then there twice."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = parts.hostname, parts.port or 80
        self.connection = None
        self.accepted = self.rejected = self.repeated = 0

    def post(self, topic, events, keep_on):
        """False when it gave up, because keep_on() said so."""
        body = "\n".join(events).encode()
        while True:
            try:
                status, answer = self.request("/v1/events/" + topic, body)
            except (OSError, http.client.HTTPException):
                self.connection = None
                status, answer = 0, b""
            if status in (202, 400):
                result = json.loads(answer)
                if "accepted" in result:
                    self.accepted += result["accepted"]
                    self.rejected += result["rejected"]
                    return True
            if status not in (0, 408, 429, 500, 503):
                sys.exit("simulate: %d: %s" % (status, answer.decode(errors="replace")[:300]))
            if not keep_on():
                return False
            self.repeated += 1
            time.sleep(0.2)

    def set_rates(self, body):
        try:
            return self.request("/api/topics/currency-rates/records", body)[0] == 200
        except (OSError, http.client.HTTPException):
            self.connection = None
            return False

    def request(self, path, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=30)
        self.connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()


def rates(rng, version):
    """The body that writes a new version of each currency, keyed by it."""
    records = []
    for currency, usd in USD_OF_ONE.items():
        if currency != "USD":
            usd = round(usd * rng.uniform(0.98, 1.02), 8)
        value = {"currency": currency, "usd": usd, "rate_version": version}
        records.append({"key": currency, "value": json.dumps(value)})
    return json.dumps({"records": records})


def run(args):
    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    if args.redis_port:
        print("stored %d customers" % store_customers(args.redis_port), flush=True)
    rng = random.Random(args.seed)
    checkout = Checkout(rng, args.broken)
    sender = Sender(args.url)
    journal = open(args.journal, "a") if args.journal else None
    sent = {}
    made = rate_version = 0
    next_rates = started = time.monotonic()
    first_version = int(time.time()) % 100_000_000  # rises from run to run
    print("sending %g orders a second to %s" % (args.rate, args.url), flush=True)
    last_report = started
    while not stopped and not (args.count and made >= args.count):
        now = time.monotonic()
        if args.seconds and now - started >= args.seconds:
            break
        if now >= next_rates:
            # At the start until they are there: orders must find a rate.
            while not sender.set_rates(rates(rng, first_version + rate_version)):
                if stopped or rate_version:
                    break
                time.sleep(0.2)
            rate_version += 1
            next_rates = now + RATES_SECONDS
        due = min(int((now - started) * args.rate) - made, BATCH_ORDERS)
        if args.count:
            due = min(due, args.count - made)
        batch = [checkout.order(time.time()) for _ in range(due)]
        if batch:
            known = sender.post("orders", [text for _, _, text in batch], lambda: not stopped)
            for kind, order_id, text in batch:
                sent[kind] = sent.get(kind, 0) + 1
                if journal:
                    json.dump({"kind": kind if known else "unknown", "order_id": order_id,
                               "text": text}, journal)
                    journal.write("\n")
            made += len(batch)
        if now - last_report >= 10:
            last_report = now
            print("%4.0f s  sent %d, accepted %d, rejected %d"
                  % (now - started, made, sender.accepted, sender.rejected), flush=True)
        time.sleep(max(0.0, FLUSH_SECONDS - (time.monotonic() - now)))
    if journal:
        journal.close()
    seconds = time.monotonic() - started
    print("%4.0f s  sent %d, accepted %d, rejected %d, %d requests repeated: %s"
          % (seconds, made, sender.accepted, sender.rejected, sender.repeated,
             ", ".join("%d %s" % (n, kind) for kind, n in sorted(sent.items()))))
    if args.report:
        with open(args.report, "w") as file:
            json.dump({"sent": made, "rate": args.rate, "by_kind": sent, "accepted": sender.accepted,
                       "rejected": sender.rejected, "repeated": sender.repeated,
                       "broken": sum(sent.get(kind, 0) for kind in BROKEN_KINDS),
                       "rate_versions": rate_version, "seconds": round(seconds, 3)}, file)
    return 0 if sender.accepted + sender.rejected > 0 or made == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the collector")
    parser.add_argument("--redis-port", type=int, help="stores the customers there first")
    parser.add_argument("--rate", type=float, default=100, help="orders per second")
    parser.add_argument("--seconds", type=float, default=0, help="how long; 0: until Ctrl-C")
    parser.add_argument("--count", type=int, default=0, help="end after so many orders")
    parser.add_argument("--broken", type=float, default=0.01, help="share of broken orders, 0 to 1")
    parser.add_argument("--seed", type=int, default=None, help="the same orders each time")
    parser.add_argument("--report", help="write what was sent, by kind, into this file as JSON")
    parser.add_argument("--journal", help="append each order that was sent to this file as JSON")
    args = parser.parse_args()
    if args.rate <= 0:
        parser.error("--rate must be above 0")
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
