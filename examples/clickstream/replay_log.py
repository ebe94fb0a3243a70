#!/usr/bin/env python3
"""Replays a web server's log (combined log format) as page views.

Each line becomes an event for the topic page-views: the user is a hash of the address, the device
follows from the user agent, the country is unknown. Times are shifted so that the first line is
now; with --speed 60 an hour of the log takes a minute, and the times in the events run at that
speed too.

    replay_log.py --speed 60 access.log
    replay_log.py --speed 0                      # as fast as it goes

Without a file: web_access.log in the folder data of $MILLRACE_SHARED.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import sys
import time

from simulate import Sender, time_text

LINE = re.compile(
    r'(?P<address>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" '
    r'(?P<status>\d{3}) \S+(?: "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)")?')
ASSET = re.compile(r"\.(png|jpe?g|gif|ico|css|js|svg|woff2?|ttf)$", re.IGNORECASE)
BATCH_EVENTS = 200


def device_of(agent):
    if re.search(r"iPad|Tablet|PlayBook", agent):
        return "tablet"
    return "mobile" if re.search(r"Mobi|iPhone|Android", agent) else "desktop"


def read_views(path):
    """(seconds since 1970, event without time) of each page view; and how many lines were none."""
    views, skipped = [], 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for text in file:
            match = LINE.match(text)
            path_only = match["path"].split("?")[0] if match else ""
            page = match and match["method"] == "GET" and match["status"] in ("200", "304")
            if not page or not path_only.startswith("/") or ASSET.search(path_only):
                skipped += 1
                continue
            seconds = datetime.datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp()
            agent = match["agent"] or ""
            views.append((seconds, {
                "user_id": hashlib.sha256(match["address"].encode()).hexdigest()[:16],
                "page_url": path_only,
                "country": "unknown",
                "device": device_of(agent),
                "user_agent": agent,
            }))
    return views, skipped


def replay(args, path):
    views, skipped = read_views(path)
    if not views:
        print("replay: %s holds no page view in combined log format" % path, file=sys.stderr)
        return 1
    # Lines are written when an answer ends, so a few are out of order; that is part of the data.
    first = views[0][0]
    started_wall, started = time.time(), time.monotonic()
    sender = Sender(args.url)
    batch = []

    def flush():
        if batch:
            sender.post("page-views", batch, lambda: True)
            batch.clear()

    for seconds, event in views:
        offset = seconds - first
        if args.speed > 0:
            wait = offset / args.speed - (time.monotonic() - started)
            if wait > 0:
                flush()
                time.sleep(wait)
            offset /= args.speed
        else:
            offset -= views[-1][0] - first  # nothing lies in the future: the last line is now
        event["event_time"] = time_text(started_wall + offset)
        batch.append(json.dumps(event))
        if len(batch) >= BATCH_EVENTS:
            flush()
    flush()
    print("sent %d, accepted %d, rejected %d; %d lines were no page view (assets, errors, other "
          "methods)" % (sender.sent, sender.accepted, sender.rejected, skipped))
    return 0 if sender.accepted else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="the log")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the collector")
    parser.add_argument("--speed", type=float, default=60,
                        help="seconds of the log per second; 0: no pauses")
    args = parser.parse_args()
    path = args.file
    if path is None:
        shared = os.environ.get("MILLRACE_SHARED")
        path = os.path.join(shared, "data", "web_access.log") if shared else None
        if path is None or not os.path.exists(path):
            print("replay: no log to read: name a file, or set MILLRACE_SHARED to the folder that "
                  "has data/web_access.log", file=sys.stderr)
            return 2
    if not os.path.exists(path):
        print("replay: there is no file %s" % path, file=sys.stderr)
        return 2
    return replay(args, path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
