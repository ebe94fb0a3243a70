#!/usr/bin/env python3
"""Tests of the benchmark itself: does the comparison notice what is wrong, and is the generated
stream what generator.h says?   nexmark_test.py FOLDER-OF-nexmark_gen"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import measure

BUILD = pathlib.Path("build/release")
Bag = collections.Counter


class Comparison(unittest.TestCase):
    def test_net_rows(self):
        text = ("+I[1, a, 2015-07-15T00:00]\n1> -U[1, a, 2015-07-15 00:00:00]\n"
                "2> +U[1, b, 2015-07-15T00:00:01.500]\nq: finished, 3 rows in [x]\n")
        self.assertEqual(measure.net_rows(text), Bag({("1", "b", "2015-07-15 00:00:01.5"): 1}))
        self.assertEqual(measure.net_rows("-D[1]\n"), Bag({("1",): -1}))
        self.assertEqual(measure.net_rows(""), Bag())
        self.assertEqual(measure.net_rows("+I[1, a]\n+U[1, b]\n+I[2, c]\n-D[2, c]\n", key=0),
                         Bag({("1", "b"): 1}))

    def test_difference(self):
        expected = Bag({("1", "b"): 2})
        self.assertEqual(measure.difference(Bag(expected), expected, None, None), "")
        for wrong in (Bag(), Bag({("1", "b"): 1}), Bag({("1", "b"): 3}), Bag({("1", "c"): 2}),
                      Bag({("1", "b"): 2, ("2", "x"): -1}), Bag({("1", "b"): 2, ("2", "x"): 1})):
            self.assertNotEqual(measure.difference(wrong, expected, None, None), "", wrong)

    def test_difference_in_some_columns(self):
        expected = Bag({("1", "b"): 1})
        rows = Bag({("1", "z"): 1})
        self.assertEqual(measure.difference(rows, expected, [0], None), "")
        self.assertEqual(measure.difference(rows, expected, [0], Bag({("1", "z"): 5})), "")
        self.assertNotEqual(measure.difference(rows, expected, [0], Bag({("1", "b"): 5})), "")
        self.assertNotEqual(measure.difference(rows, expected, [1], None), "")

    def test_comments(self):
        parse = measure.parse_comparison
        self.assertEqual(parse("-- compare 1-3, 5: why\n"), ([0, 1, 2, 4], "why"))
        self.assertEqual(parse("-- compare nothing: why"), ([], "why"))
        self.assertEqual(parse("SELECT 1"), (None, ""))
        self.assertEqual(measure.parse_key("-- key 2\nSELECT 1"), 1)
        self.assertIsNone(measure.parse_key("SELECT 1"))


class Generator(unittest.TestCase):
    def generate(self, *options):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([BUILD / "nexmark_gen", "--out", directory, *map(str, options)],
                           check=True, stdout=subprocess.DEVNULL)
            return [part.read_text().splitlines()
                    for part in sorted(pathlib.Path(directory).glob("part-*.jsonl"))]

    def test_any_range_by_itself(self):
        whole, = self.generate("--events", 5000, "--files", 1)
        self.assertEqual(len(whole), 5000)
        self.assertEqual(self.generate("--first", 1234, "--events", 777, "--files", 1),
                         [whole[1234:2011]])
        self.assertEqual(self.generate("--events", 0), [[], []])
        three = self.generate("--events", 5000, "--files", 3)
        for number in range(3):
            self.assertEqual(three[number],
                             [line for i, line in enumerate(whole) if i // 7 % 3 == number])
        self.assertNotEqual(self.generate("--events", 50, "--files", 1, "--seed", 2), [whole[:50]])

    def test_out_of_order(self):
        whole, = self.generate("--events", 5000, "--files", 1)
        shuffled, = self.generate("--events", 5000, "--files", 1, "--out-of-order", 1000)
        self.assertNotEqual(shuffled, whole)
        for first in range(0, 5000, 1000):
            group = slice(first, first + 1000)
            self.assertEqual(sorted(shuffled[group]), sorted(whole[group]))

    def test_distributions(self):
        lines, = self.generate("--events", 100_000, "--files", 1)
        events = [json.loads(line) for line in lines]
        self.assertEqual(Bag(event["event_type"] for event in events), {0: 2000, 1: 6000, 2: 92000})
        people = [event["person"] for event in events if event["event_type"] == 0]
        auctions = [event["auction"] for event in events if event["event_type"] == 1]
        bids = [event["bid"] for event in events if event["event_type"] == 2]
        self.assertEqual([person["id"] for person in people], list(range(1000, 3000)))
        self.assertEqual([auction["id"] for auction in auctions], list(range(1000, 7000)))
        self.assertEqual(events[12345][["person", "auction", "bid"][events[12345]["event_type"]]]
                         ["dateTime"], "2015-07-15 00:00:01.234")

        def check(expected, values):
            self.assertAlmostEqual(sum(values) / len(values), expected, delta=0.02)
        # Hot ones, and the one in a hundred of the others that happens to be one.
        check(0.505, [bid["auction"] % 100 == 0 for bid in bids])
        check(0.7525, [bid["bidder"] % 100 == 1 for bid in bids])
        check(0.7525, [auction["seller"] % 100 == 0 for auction in auctions])
        check(1 / 3, [bid["price"] < 10_000 for bid in bids])
        check(0.5, [bid["channel"].startswith("channel-") for bid in bids])
        check(0.45, ["channel_id=" in bid["url"] for bid in bids])
        self.assertTrue(all(auction["expires"] > auction["dateTime"] for auction in auctions))
        size = sum(map(len, lines)) / len(lines)
        self.assertTrue(280 < size < 330, size)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BUILD = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=0)
