#!/usr/bin/env python3
"""Simulates the people, bots and broken clients of an online shop.

Sessions walk from page to page, put things in the cart and buy some of them. Events go in batches
over one connection to a collector: POST {url}/v1/events/{topic}. Event times follow the clock, out
of order by up to 3 seconds; about 0.5 % come 10 to 60 seconds late, and about 0.5 % are broken
(malformed JSON, negative quantity, wrong type, unknown currency), so that there is something to
see in the dead letters.

    simulate.py --rate 400                       # until Ctrl-C
    simulate.py --rate 5000 --seconds 60 --seed 7
"""

import argparse
import datetime
import http.client
import json
import random
import signal
import sys
import time
import urllib.parse

TOPICS = ("page-views", "add-to-cart", "purchases")
LATE_SHARE = 0.005
BAD_SHARE = 0.005
BOT_SHARE = 0.03
BATCH_EVENTS = 500
FLUSH_SECONDS = 0.1

# country: (weight, currency, units of the currency for one US dollar)
COUNTRIES = {
    "US": (30, "USD", 1.0),
    "DE": (18, "EUR", 0.92),
    "GB": (14, "GBP", 0.79),
    "FR": (10, "EUR", 0.92),
    "JP": (9, "JPY", 154.0),
    "CN": (8, "CNY", 7.25),
    "ES": (6, "EUR", 0.92),
    "NL": (5, "EUR", 0.92),
}
DEVICES = {"mobile": 55, "desktop": 37, "tablet": 8}
USER_AGENTS = {
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/604.1",
    "desktop": "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0 Safari/537.36",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) Safari/604.1",
}
BOT_AGENT = "Mozilla/5.0 (compatible; PriceWatchBot/2.1; +http://pricewatch.example/bot)"
# category: (weight, lowest and highest price in US dollars)
CATEGORIES = {
    "electronics": (22, 30, 900),
    "fashion": (20, 10, 160),
    "home": (16, 8, 400),
    "books": (14, 5, 45),
    "toys": (10, 6, 90),
    "sports": (9, 12, 350),
    "beauty": (9, 4, 80),
}
PRODUCTS_PER_CATEGORY = 40


class Session:
    """One visit: where it is, and what it may do next."""

    __slots__ = ("user", "id", "country", "device", "agent", "bot", "left", "product", "cart",
                 "new")

    def __init__(self, shop, number):
        rng = shop.rng
        self.bot = rng.random() < BOT_SHARE
        self.user = "bot%d" % rng.randrange(20) if self.bot else "u%d" % rng.randrange(200_000)
        self.id = "s%d" % number
        self.country = rng.choices(shop.countries, shop.country_weights)[0]
        self.device = "desktop" if self.bot else rng.choices(shop.devices, shop.device_weights)[0]
        self.agent = BOT_AGENT if self.bot else USER_AGENTS[self.device]
        self.left = 60 if self.bot else 1 + min(int(rng.expovariate(1 / 7)), 40)
        self.product = None
        self.cart = None
        self.new = True


class Shop:
    """Makes events: next_event() gives (topic, JSON text)."""

    def __init__(self, rng, rate):
        self.rng = rng
        self.countries = list(COUNTRIES)
        self.country_weights = [c[0] for c in COUNTRIES.values()]
        self.devices = list(DEVICES)
        self.device_weights = list(DEVICES.values())
        self.products = []
        weights = []
        for category, (weight, low, high) in CATEGORIES.items():
            for n in range(1, PRODUCTS_PER_CATEGORY + 1):
                price = low * (high / low) ** rng.random()
                self.products.append(("%s-%02d" % (category, n), category, price))
                weights.append(weight / n ** 0.8)  # a few best sellers, many others
        self.product_choices = rng.choices(range(len(self.products)), weights, k=1 << 16)
        self.sessions_max = max(20, int(rate * 5))  # each acts about every 5 seconds
        self.sessions = []
        self.session_count = 0
        self.order_count = 0

    def next_event(self, event_time):
        rng = self.rng
        sessions = self.sessions
        if len(sessions) < self.sessions_max and (not sessions or rng.random() < 0.2):
            sessions.append(self.new_session())
            at = len(sessions) - 1
        else:
            at = int(rng.random() * len(sessions))
        session = sessions[at]
        event = self.step(session, event_time)
        session.left -= 1
        if session.left <= 0:
            # Replaced when there are enough, so that their number stays.
            if len(sessions) >= self.sessions_max:
                sessions[at] = self.new_session()
            else:
                sessions[at] = sessions[-1]
                sessions.pop()
        return event

    def new_session(self):
        self.session_count += 1
        return Session(self, self.session_count)

    def step(self, s, event_time):
        r = self.rng.random()
        if s.bot:
            return self.view_product(s, event_time)
        if s.cart is not None and r < 0.25:
            product, quantity = s.cart
            s.cart = None
            self.order_count += 1
            return "purchases", '{"order_id":"o%d",%s' % (
                self.order_count, self.item(s, product, quantity, event_time))
        if s.product is not None and s.cart is None and r < 0.13:
            quantity = 1 if self.rng.random() < 0.8 else self.rng.randint(2, 5)
            s.cart = (s.product, quantity)
            s.left += 1  # who has something in the cart stays a little
            return "add-to-cart", "{" + self.item(s, s.product, quantity, event_time)
        if s.new:
            s.new = False
            if r < 0.5:
                return self.view(s, "/", None, None, event_time)
        if r < 0.75:
            return self.view_product(s, event_time)
        category = self.rng.choices(list(CATEGORIES), [c[0] for c in CATEGORIES.values()])[0]
        if r < 0.93:
            return self.view(s, "/c/" + category, None, category, event_time)
        return self.view(s, "/search", None, None, event_time)

    def view_product(self, s, event_time):
        s.product = self.products[self.rng.choice(self.product_choices)]
        name, category, _ = s.product
        return self.view(s, "/p/" + name, name, category, event_time)

    def view(self, s, url, product, category, event_time):
        about = ""
        if product:
            about += '"product_id":"%s",' % product
        if category:
            about += '"category":"%s",' % category
        return "page-views", (
            '{"user_id":"%s","session_id":"%s","page_url":"%s",%s"country":"%s","device":"%s",'
            '"user_agent":"%s","event_time":"%s"}'
            % (s.user, s.id, url, about, s.country, s.device, s.agent, time_text(event_time)))

    def item(self, s, product, quantity, event_time):
        name, category, price = product
        _, currency, rate = COUNTRIES[s.country]
        return (
            '"user_id":"%s","session_id":"%s","product_id":"%s","category":"%s","country":"%s",'
            '"device":"%s","quantity":%d,"price":%.2f,"currency":"%s","event_time":"%s"}'
            % (s.user, s.id, name, category, s.country, s.device, quantity, price * rate, currency,
               time_text(event_time)))


def time_text(seconds):
    """2026-01-31 12:00:00.123 (UTC), as Flink's JSON format writes timestamps."""
    whole = int(seconds)
    text = time_text.cache.get(whole)
    if text is None:
        if len(time_text.cache) > 1000:
            time_text.cache.clear()
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(whole))
        time_text.cache[whole] = text
    return "%s.%03d" % (text, int((seconds - whole) * 1000))


time_text.cache = {}


def spoil(rng, topic, event):
    """A broken form of a good event."""
    if topic == "page-views":
        kind = rng.randrange(3)
        if kind == 0:
            return event[: len(event) // 2]  # cut off: not JSON any more
        if kind == 1:
            return event.replace('"event_time":"', '"event_time":"soon ')
        return event.replace('"user_id":', '"user":')
    kind = rng.randrange(4)
    if kind == 0:
        return event[:-1]
    if kind == 1:
        return event.replace('"quantity":', '"quantity":-')
    if kind == 2:
        return event.replace('"quantity":', '"quantity":"many","pieces":')
    at = event.index('"currency":"') + len('"currency":"')
    return event[:at] + "XXX" + event[at + 3:]


class Sender:
    """Posts batches over one connection that is opened again when it breaks."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.connection = None
        self.sent = self.accepted = self.rejected = self.requests = self.retries = 0
        self.by_topic = {topic: 0 for topic in TOPICS}
        self.complaints = {}

    def post(self, topic, events, keep_on):
        body = "\n".join(events).encode()
        self.sent += len(events)
        pause = 0.05
        while True:
            try:
                status, headers, answer = self.request(topic, body)
            except (OSError, http.client.HTTPException) as error:
                self.connection = None
                self.complain("no answer: %s" % (error or type(error).__name__))
                status, headers, answer = 0, {}, b""
            if status in (202, 400):
                result = json.loads(answer)
                if "accepted" in result:
                    self.accepted += result["accepted"]
                    self.rejected += result["rejected"]
                    self.by_topic[topic] += result["accepted"]
                    return
                self.rejected += len(events)
                self.complain(answer.decode(errors="replace")[:300])
                return
            if status not in (0, 408, 429, 500, 503):
                self.rejected += len(events)
                self.complain("%d: %s" % (status, answer.decode(errors="replace")[:300]))
                return
            # Not stored, or not known to be: again, as a client that must not lose events does.
            if not keep_on():
                return
            self.retries += 1
            time.sleep(min(float(headers.get("Retry-After", pause)), 2))
            pause = min(pause * 2, 2)

    def request(self, topic, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        self.connection.request("POST", "/v1/events/" + topic, body,
                                {"Content-Type": "application/x-ndjson"})
        response = self.connection.getresponse()
        self.requests += 1
        return response.status, response.headers, response.read()

    def complain(self, text):
        self.complaints[text] = self.complaints.get(text, 0) + 1
        if self.complaints[text] == 1:
            print("simulate: " + text, file=sys.stderr, flush=True)


def run(args):
    rng = random.Random(args.seed)
    shop = Shop(rng, args.rate)
    sender = Sender(args.url)
    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    started = time.monotonic()
    first_time = start_time(args.start)
    print("sending %g events a second to %s" % (args.rate, args.url), flush=True)
    buffers = {topic: [] for topic in TOPICS}
    made = bad = late = 0
    last_flush = last_report = started
    while not stopped:
        now = time.monotonic()
        elapsed = now - started
        if args.seconds and elapsed >= args.seconds:
            break
        # What is due by now; after a stall at most a second of it at once.
        due = min(int(elapsed * args.rate) - made, max(1, args.rate))
        for _ in range(due):
            event_time = first_time + made / args.rate
            r = rng.random()
            if r < LATE_SHARE:
                event_time -= rng.uniform(10, 60)
                late += 1
            elif r < 0.3:
                event_time -= rng.uniform(0, 3)
            topic, event = shop.next_event(event_time)
            if rng.random() < BAD_SHARE:
                event = spoil(rng, topic, event)
                bad += 1
            made += 1
            buffer = buffers[topic]
            buffer.append(event)
            if len(buffer) >= BATCH_EVENTS:
                sender.post(topic, buffer, lambda: not stopped)
                buffers[topic] = []
        if now - last_flush >= FLUSH_SECONDS:
            last_flush = now
            for topic, buffer in buffers.items():
                if buffer:
                    sender.post(topic, buffer, lambda: not stopped)
                    buffers[topic] = []
        if now - last_report >= 10:
            last_report = now
            print(line(sender, elapsed), flush=True)
        time.sleep(max(0.0, 0.02 - (time.monotonic() - now)))
    for topic, buffer in buffers.items():
        if buffer:
            sender.post(topic, buffer, lambda: False)
    elapsed = time.monotonic() - started
    print(line(sender, elapsed))
    print("of these %d broken on purpose, %d late; %d requests, %d repeated"
          % (bad, late, sender.requests, sender.retries))
    if args.report:
        with open(args.report, "w") as file:
            json.dump({"sent": sender.sent, "accepted": sender.accepted,
                       "rejected": sender.rejected, "broken": bad, "late": late,
                       "topics": sender.by_topic, "seconds": round(elapsed, 3)}, file)
    return 0 if sender.accepted > 0 or made == 0 else 1


def line(sender, elapsed):
    return ("%4.0f s  sent %d (%.0f/s), accepted %d, rejected %d"
            % (elapsed, sender.sent, sender.sent / max(elapsed, 0.001), sender.accepted,
               sender.rejected))


def start_time(text):
    if text == "now":
        return time.time()
    parsed = datetime.datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.timezone.utc)
    return parsed.timestamp()


def positive(text):
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the collector")
    parser.add_argument("--rate", type=positive, default=400, help="events per second")
    parser.add_argument("--seconds", type=float, default=0, help="how long; 0: until Ctrl-C")
    parser.add_argument("--seed", type=int, default=None, help="the same walk each time")
    parser.add_argument("--start", default="now",
                        help="time of the first event: now, or 2026-01-31T12:00:00 (UTC)")
    parser.add_argument("--report", help="write the counts into this file as JSON")
    args = parser.parse_args()
    args.rate = int(args.rate) if args.rate >= 1 else args.rate
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
