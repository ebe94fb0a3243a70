#include "job/ledger_entry.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::job {

namespace {

using simdjson::dom::element;

constexpr const char* kNames[kCounts] = {"in",       "added",        "merged",  "taken",
                                         "filtered", "unchanged",    "late",    "late_taken",
                                         "failed",   "failed_taken", "dropped", "out"};

std::string SplitJson(const LedgerSplit& split, model::Epoch from_epoch) {
  std::string steps;
  for (const LedgerSplit::Step& step : split.steps) {
    steps += fmt::format("{}[{},{}]", steps.empty() ? "" : ",", step.epoch - from_epoch,
                         step.to - split.from);
  }
  return fmt::format(
      "{{\"source\":{},\"table\":{},\"topic\":{},\"split\":{},\"from\":{},\"to\":{},\"steps\":[{}]"
      "}}",
      split.source, JsonQuote(split.table), JsonQuote(split.topic), JsonQuote(split.split),
      split.from, split.to, steps);
}

std::string SplitsJson(const std::vector<LedgerSplit>& splits, model::Epoch from_epoch) {
  std::vector<std::string> texts;
  for (const LedgerSplit& split : splits) texts.push_back(SplitJson(split, from_epoch));
  return "[" + Join(texts, ",") + "]";
}

std::string StageJson(const StageEntry& stage) {
  std::string text =
      fmt::format("{{\"stage\":{},\"name\":{}", JsonQuote(stage.stage), JsonQuote(stage.name));
  for (size_t c = 0; c < kCounts; c++) {
    if (stage.counts.values[c] != 0) {
      text += fmt::format(",\"{}\":{}", kNames[c], stage.counts.values[c]);
    }
  }
  return text + "}";
}

std::string GapJson(const LedgerGap& gap) {
  return fmt::format(
      "{{\"kind\":\"{}\",\"stage\":{},\"name\":{},\"rows\":{},\"from_epoch\":{},\"to_epoch\":{},"
      "\"splits\":{},\"text\":{}}}",
      LedgerGapKindName(gap.kind), JsonQuote(gap.stage), JsonQuote(gap.name), gap.rows,
      gap.from_epoch, gap.to_epoch, SplitsJson(gap.splits, gap.from_epoch), JsonQuote(gap.Text()));
}

std::string TextOf(const element& object, const char* name) {
  std::string_view text;
  return object[name].get_string().get(text) ? "" : std::string(text);
}

int64_t NumberOf(const element& object, const char* name) {
  int64_t number = 0;
  return object[name].get_int64().get(number) ? 0 : number;
}

std::vector<element> ListOf(const element& object, const char* name) {
  simdjson::dom::array array;
  std::vector<element> list;
  if (object[name].get_array().get(array)) return list;
  for (element item : array) list.push_back(item);
  return list;
}

std::vector<LedgerSplit> SplitsOf(const element& object, model::Epoch from_epoch) {
  std::vector<LedgerSplit> splits;
  for (const element& item : ListOf(object, "splits")) {
    LedgerSplit split;
    split.source = static_cast<int>(NumberOf(item, "source"));
    split.table = TextOf(item, "table");
    split.topic = TextOf(item, "topic");
    split.split = TextOf(item, "split");
    split.from = NumberOf(item, "from");
    split.to = NumberOf(item, "to");
    for (const element& pair : ListOf(item, "steps")) {
      int64_t epoch = 0;
      int64_t to = 0;
      if (pair.at(0).get_int64().get(epoch) || pair.at(1).get_int64().get(to)) continue;
      split.steps.push_back({from_epoch + epoch, split.from + to});
    }
    splits.push_back(std::move(split));
  }
  return splits;
}

LedgerGap GapOf(const element& item) {
  LedgerGap gap;
  for (auto kind : {LedgerGap::Kind::kInput, LedgerGap::Kind::kOffsets}) {
    if (TextOf(item, "kind") == LedgerGapKindName(kind)) gap.kind = kind;
  }
  gap.stage = TextOf(item, "stage");
  gap.name = TextOf(item, "name");
  gap.rows = NumberOf(item, "rows");
  gap.from_epoch = NumberOf(item, "from_epoch");
  gap.to_epoch = NumberOf(item, "to_epoch");
  gap.splits = SplitsOf(item, gap.from_epoch);
  return gap;
}

}  // namespace

const char* CountName(Count count) {
  return kNames[static_cast<size_t>(count)];
}

void StageCounts::Add(const StageCounts& other) {
  for (size_t c = 0; c < kCounts; c++) values[c] += other.values[c];
}

void StageCounts::Subtract(const StageCounts& other) {
  for (size_t c = 0; c < kCounts; c++) values[c] -= other.values[c];
}

bool StageCounts::IsZero() const {
  return std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 0; });
}

int64_t StageCounts::Missing() const {
  const StageCounts& c = *this;
  return c[Count::kIn] + c[Count::kAdded] - c[Count::kMerged] - c[Count::kTaken] -
         c[Count::kFiltered] - c[Count::kUnchanged] - (c[Count::kLate] - c[Count::kLateTaken]) -
         (c[Count::kFailed] - c[Count::kFailedTaken]) - c[Count::kDropped];
}

const char* LedgerGapKindName(LedgerGap::Kind kind) {
  switch (kind) {
    case LedgerGap::Kind::kRows:
      return "rows";
    case LedgerGap::Kind::kInput:
      return "input";
    case LedgerGap::Kind::kOffsets:
      return "offsets";
  }
  return "unknown";
}

std::string LedgerGap::Text() const {
  const std::string epochs = from_epoch == to_epoch
                                 ? fmt::format("epoch {}", from_epoch)
                                 : fmt::format("epochs {} to {}", from_epoch, to_epoch);
  std::vector<std::string> read;
  for (const LedgerSplit& split : splits) {
    read.push_back(
        fmt::format("{}/{} offsets [{}, {})", split.table, split.split, split.from, split.to));
  }
  const std::string ranges = read.empty() ? "no input" : Join(read, ", ");
  if (kind == Kind::kOffsets) {
    return fmt::format("{} {} in {}: {}", ranges, rows > 0 ? "were not read" : "were read twice",
                       epochs, "they do not join what was read before");
  }
  const int64_t count = rows < 0 ? -rows : rows;
  const std::string number = fmt::format("{} row{}", count, count == 1 ? "" : "s");
  std::string what = rows > 0 ? "lost " + number : "has " + number + " too many";
  if (kind == Kind::kInput) {
    what = rows > 0 ? "did not get " + number + " of the stages before it"
                    : "got " + number + " more than the stages before it emitted";
  }
  return fmt::format("stage {} ({}) {} in {}, which read {}", stage, name, what, epochs, ranges);
}

std::string LedgerEntry::ToJson() const {
  std::vector<std::string> stage_texts;
  for (const StageEntry& stage : stages) stage_texts.push_back(StageJson(stage));
  std::vector<std::string> gap_texts;
  for (const LedgerGap& gap : gaps) gap_texts.push_back(GapJson(gap));
  return fmt::format(
      "{{\"job\":{},\"run\":{},\"from_epoch\":{},\"to_epoch\":{},\"from_ms\":{},\"to_ms\":{},"
      "\"committed_ms\":{},\"splits\":{},\"stages\":[{}],\"gaps\":[{}]}}",
      JsonQuote(job), JsonQuote(run), from_epoch, to_epoch, from_ms, to_ms, committed_ms,
      SplitsJson(splits, from_epoch), Join(stage_texts, ","), Join(gap_texts, ","));
}

Result<LedgerEntry> LedgerEntry::FromJson(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(json.data(), json.size()).get(root) || !root.is_object()) {
    return Status(Code::kCorruption, "an entry of the ledger cannot be read");
  }
  LedgerEntry entry;
  entry.job = TextOf(root, "job");
  entry.run = TextOf(root, "run");
  entry.from_epoch = NumberOf(root, "from_epoch");
  entry.to_epoch = NumberOf(root, "to_epoch");
  entry.from_ms = NumberOf(root, "from_ms");
  entry.to_ms = NumberOf(root, "to_ms");
  entry.committed_ms = NumberOf(root, "committed_ms");
  entry.splits = SplitsOf(root, entry.from_epoch);
  for (const element& item : ListOf(root, "stages")) {
    StageEntry stage{TextOf(item, "stage"), TextOf(item, "name")};
    for (size_t c = 0; c < kCounts; c++) stage.counts.values[c] = NumberOf(item, kNames[c]);
    entry.stages.push_back(std::move(stage));
  }
  for (const element& item : ListOf(root, "gaps")) entry.gaps.push_back(GapOf(item));
  return entry;
}

}  // namespace millrace::job
