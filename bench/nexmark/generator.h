// Generator: the events of the Nexmark benchmark (people, their auctions, bids on them) as JSON.
//
// Event i is a function of (options, i) alone, so any range of the stream can be made by itself, in
// any order, and always comes out the same.
//
// Contract: immutable after construction; any number of threads may call Append at once. About 3 MB
// of tables.
//
// Format: one JSON object and a line feed per event, a member per kind, the others absent:
//   {"event_type":0,"person":{"id","name","emailAddress","creditCard","city","state","dateTime",
//                             "extra"}}
//   {"event_type":1,"auction":{"id","itemName","description","initialBid","reserve","dateTime",
//                              "expires","seller","category","extra"}}
//   {"event_type":2,"bid":{"auction","bidder","price","channel","url","dateTime","extra"}}
// Ids and prices are numbers, times "2015-07-15 00:00:00.000" (UTC), the rest strings.
//
// Source of the distributions: github.com/nexmark/nexmark, NexmarkConfiguration's defaults and the
// classes of generator/model. Of every 50 events 1 is a person, 3 are auctions, 46 bids. Half of
// the bids go to a hot auction, 3 of 4 come from a hot bidder, 3 of 4 auctions have a hot seller;
// the others are drawn from the newest 100 auctions and 1,000 people, and 10 that do not exist yet.
// Prices are 100 * 10^[0, 6). An auction lasts 1 ms to twice the time in which 100 further ones
// begin. Kept from there as well: bidders are numbered 1,000 higher than the people they are, and
// "extra" draws from 'H' to 'z', so it holds backslashes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::nexmark {

struct GeneratorOptions {
  uint64_t seed = 1;
  int64_t events_per_second = 10'000;  // of event time
  // Events come shuffled within groups of this many; 1: in order of time.
  int64_t out_of_order_group = 1;
};

class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);

  // Appends event `number` (from 0) as one line. `number` is a place in the stream: with
  // out_of_order_group > 1 its event time is not quite that place's.
  void Append(int64_t number, std::string& out) const;

 private:
  class Random;

  void AppendPerson(int64_t id, Random& random, std::string& out) const;
  void AppendAuction(int64_t id, Random& random, std::string& out) const;
  void AppendBid(int64_t id, Random& random, std::string& out) const;
  // The member "extra", with as many letters as an event of `bytes` so far needs to have
  // `bytes_wanted` on average, and the end of the line.
  void AppendExtra(int64_t bytes, int64_t bytes_wanted, Random& random, std::string& out) const;
  int64_t TimeMs(int64_t id) const { return id * 1000 / options_.events_per_second; }
  void AppendTime(const char* name, int64_t ms, std::string& out) const;

  GeneratorOptions options_;
  // Letters from which every "extra" is a piece, escaped for JSON, and for each letter where it
  // begins there.
  std::string letters_;
  std::vector<uint32_t> letter_at_;
  // ,"channel":"…","url":"…" for each of the few hot channels and the many others.
  std::vector<std::string> hot_channels_;
  std::vector<std::string> channels_;
};

}  // namespace millrace::nexmark
