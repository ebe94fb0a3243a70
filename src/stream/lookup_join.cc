#include "stream/lookup_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "base/units.h"
#include "duck/functions.h"
#include "stream/asker.h"
#include "stream/columns.h"
#include "stream/late_rows.h"
#include "stream/lookup_answer.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::DataChunk;
using duckdb::idx_t;

namespace {

constexpr uint32_t kNoKey = UINT32_MAX;
constexpr size_t kChunksKept = 64;

class KeptOrigins : public RowOrigin {
 public:
  void Describe(uint32_t row, model::DeadLetter& letter) const override {
    letter.TakeRecordOf(letters.at(row));
  }
  std::vector<model::DeadLetter> letters;
};

// Whether none of the values of an encoded row (stream/row_codec.h) is NULL.
bool HasNoNull(std::string_view encoded, size_t columns) {
  for (size_t c = 0; c < columns; c++) {
    if (!(static_cast<uint8_t>(encoded[c / 8]) >> (c % 8) & 1)) return false;
  }
  return true;
}

}  // namespace

// Rows that wait for the end of the epoch's input.
struct LookupJoin::Waiting {
  DataChunk rows;
  std::vector<uint32_t> known;  // by row: index into known_, or kNoKey
  std::vector<LateCandidate> late;
  KeptOrigins origins;
};

LookupJoin::LookupJoin(uint32_t id, LookupJoinPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      key_codec_(Pick(plan_.input_types, plan_.keys)),
      answer_codec_(plan_.answer_types),
      answer_columns_(FirstColumns(plan_.answer_types.size())),
      cache_(plan_.cache) {
  if (plan_.what.empty()) plan_.what = fmt::format("lookup in \"{}\"", plan_.table);
}
LookupJoin::~LookupJoin() = default;

Status LookupJoin::Open(const OperatorContext& context, const state::StateReader& state) {
  context_ = context;
  MR_CHECK(context.asker != nullptr, "a job with lookups has who asks for it");
  if (!plan_.residual.empty()) {
    residual_ = std::make_unique<JoinConditions>(plan_.residual, context, "lookup");
  }
  duckdb::vector<duckdb::LogicalType> types(
      plan_.input_types.begin(),
      plan_.input_types.begin() + static_cast<std::ptrdiff_t>(plan_.kept));
  types.insert(types.end(), plan_.answer_types.begin(), plan_.answer_types.end());
  output_.InitializeEmpty(types);
  cache_.Restore(state, id());
  return Status::Ok();
}

void LookupJoin::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  idx_t taken = 0;
  LateCandidates marks(batch);
  while (taken < batch.size()) {
    if (used_ == 0 || waiting_[used_ - 1]->rows.size() == STANDARD_VECTOR_SIZE) {
      if (used_ == waiting_.size()) {
        waiting_.push_back(std::make_unique<Waiting>());
        waiting_.back()->rows.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.input_types);
      }
      used_++;
    }
    Waiting& waiting = *waiting_[used_ - 1];
    const idx_t before = waiting.rows.size();
    const idx_t count = std::min<idx_t>(batch.size() - taken, STANDARD_VECTOR_SIZE - before);
    duckdb::SelectionVector selection(count);
    for (idx_t i = 0; i < count; i++) {
      const auto row = static_cast<uint32_t>(taken + i);
      selection.set_index(i, row);
      if (batch.late.empty()) continue;
      const LateCandidate* mark = marks.Of(row);
      if (!mark) continue;
      LateCandidate late = *mark;
      model::DeadLetter letter;
      if (batch.origin) batch.origin->Describe(late.origin_row, letter);
      late.row = static_cast<uint32_t>(before + i);
      late.origin_row = static_cast<uint32_t>(waiting.origins.letters.size());
      waiting.origins.letters.push_back(std::move(letter));
      waiting.late.push_back(late);
    }
    waiting.rows.Append(*batch.rows, false, &selection, count);
    taken += count;
  }
}

void LookupJoin::OnWatermark(const Frontiers& frontiers) {
  (void)frontiers;
  Flush();
}

void LookupJoin::OnEpochEnd() {
  Flush();
  asked_ = KeyTable();
  asked_answers_.clear();
  cache_.Trim(duck::EpochClockMicros(*context_.client));
  stats_.state_rows = static_cast<int64_t>(cache_.size());
  stats_.state_bytes = static_cast<int64_t>(cache_.bytes());
}

void LookupJoin::Flush() {
  if (used_ == 0) return;
  CollectKeys();
  if (FindAnswers()) {
    for (size_t i = 0; i < used_; i++) Join(*waiting_[i]);
  }
  for (size_t i = 0; i < used_; i++) {
    waiting_[i]->rows.Reset();
    waiting_[i]->late.clear();
    waiting_[i]->origins.letters.clear();
  }
  used_ = 0;
  if (waiting_.size() > kChunksKept) waiting_.resize(kChunksKept);
}

void LookupJoin::CollectKeys() {
  epoch_keys_ = KeyTable();
  for (size_t i = 0; i < used_; i++) {
    Waiting& waiting = *waiting_[i];
    waiting.known.resize(waiting.rows.size());
    key_codec_.Bind(waiting.rows, plan_.keys);
    for (uint32_t row = 0; row < waiting.rows.size(); row++) {
      const std::string_view key = key_codec_.Encode(row);
      waiting.known[row] = plan_.ask_nulls || HasNoNull(key, plan_.keys.size())
                               ? epoch_keys_.FindOrAdd(key).slot
                               : kNoKey;
    }
  }
}

// False when the epoch is void.
bool LookupJoin::FindAnswers() {
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  const uint32_t count = epoch_keys_.slots();
  std::vector<std::string_view> answers(count);
  EncodedKeys requests;
  std::vector<uint32_t> asked;
  for (uint32_t k = 0; k < count; k++) {
    const std::string* cached = plan_.cache.on ? cache_.Find(epoch_keys_.Key(k), now_us) : nullptr;
    const int64_t before = cached ? -1 : asked_.Find(epoch_keys_.Key(k));
    if (cached) {
      answers[k] = *cached;
    } else if (before >= 0) {
      answers[k] = asked_answers_[static_cast<size_t>(before)];
    } else {
      requests.Add(epoch_keys_.Key(k));
      asked.push_back(k);
    }
  }
  std::vector<std::string> responses;
  if (!asked.empty()) {
    // Who asks remembers the error, and the job ends with it.
    if (!context_.asker->Ask(id(), requests, responses).ok()) return false;
    for (size_t i = 0; i < asked.size(); i++) answers[asked[i]] = responses[i];
  }
  DecodeAnswers(answers);
  for (size_t i = 0; i < asked.size(); i++) {
    const Known& known = known_[asked[i]];
    const std::string_view key = epoch_keys_.Key(asked[i]);
    if (plan_.cache.on && known.bad.empty() && (known.count > 0 || plan_.cache.missing)) {
      cache_.Put(key, std::move(responses[i]), now_us);
    } else {
      const uint32_t slot = asked_.FindOrAdd(key).slot;
      asked_answers_.resize(asked_.slots());
      asked_answers_[slot] = std::move(responses[i]);
    }
  }
  return true;
}

void LookupJoin::DecodeAnswers(const std::vector<std::string_view>& answers) {
  known_.assign(answers.size(), {});
  idx_t total = 0;
  for (size_t k = 0; k < answers.size(); k++) {
    const LookupAnswer answer = LookupAnswer::Read(answers[k]);
    known_[k].first = total;
    known_[k].count = answer.count;
    if (answer.kind == AnswerKind::kBad) known_[k].bad = std::string(answer.rest);
    total += answer.count;
  }
  null_answer_ = total;
  answers_.Destroy();
  if (plan_.answer_types.empty()) return;
  answers_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.answer_types, total + 1);
  idx_t row = 0;
  for (std::string_view bytes : answers) {
    const LookupAnswer answer = LookupAnswer::Read(bytes);
    std::string_view rest = answer.rest;
    for (uint32_t i = 0; i < answer.count; i++) {
      rest.remove_prefix(answer_codec_.Decode(rest, answers_, answer_columns_, row++));
    }
  }
  for (auto& column : answers_.data) duckdb::FlatVector::SetNull(column, null_answer_, true);
  answers_.SetCardinality(total + 1);
}

void LookupJoin::Join(Waiting& waiting) {
  std::vector<Pair> pairs;
  std::vector<uint8_t> gone(waiting.rows.size());
  for (uint32_t row = 0; row < waiting.rows.size(); row++) {
    const uint32_t k = waiting.known[row];
    if (k != kNoKey && !known_[k].bad.empty()) {
      stats_.rows_failed++;
      gone[row] = 1;
      Bury(waiting, row, model::RowErrorKind::kMalformed,
           fmt::format("{}: {}", plan_.what, known_[k].bad));
    } else if ((k == kNoKey || known_[k].count == 0) && plan_.bury_missing) {
      stats_.rows_failed++;
      gone[row] = 1;
      Bury(waiting, row, model::RowErrorKind::kConstraint,
           fmt::format("{}: there is no row for the key {}", plan_.what, KeyText(waiting, row)));
    } else if (k != kNoKey) {
      for (uint32_t i = 0; i < known_[k].count; i++) pairs.push_back({row, known_[k].first + i});
    }
  }
  if (residual_ && !pairs.empty()) KeepTruePairs(waiting, pairs, gone);
  if (plan_.left) {
    std::vector<Pair> all;
    size_t next = 0;
    for (uint32_t row = 0; row < waiting.rows.size(); row++) {
      const size_t first = next;
      for (; next < pairs.size() && pairs[next].row == row; next++) all.push_back(pairs[next]);
      if (next == first && !gone[row]) all.push_back({row, null_answer_});
      stats_.rows_taken += gone[row] ? 0 : 1;
    }
    pairs = std::move(all);
  } else {
    size_t matched = 0;
    for (size_t i = 0; i < pairs.size(); i++) matched += i == 0 || pairs[i].row != pairs[i - 1].row;
    const auto buried = static_cast<size_t>(std::count(gone.begin(), gone.end(), 1));
    stats_.rows_filtered += static_cast<int64_t>(waiting.rows.size() - matched - buried);
    stats_.rows_taken += static_cast<int64_t>(matched);
  }
  EmitPairs(waiting, pairs);
}

void LookupJoin::FillPairs(Waiting& waiting, const Pair* pairs, idx_t count, DataChunk& out) {
  duckdb::SelectionVector left(count);
  duckdb::SelectionVector right(count);
  for (idx_t i = 0; i < count; i++) {
    left.set_index(i, pairs[i].row);
    right.set_index(i, pairs[i].answer);
  }
  for (idx_t c = 0; c < plan_.kept; c++) out.data[c].Slice(waiting.rows.data[c], left, count);
  for (idx_t c = 0; c < plan_.answer_types.size(); c++) {
    out.data[plan_.kept + c].Slice(answers_.data[c], right, count);
  }
  out.SetCardinality(count);
}

// A row whose pairs fail, all but those that do not hold, is in the dead letters with them: `gone`.
void LookupJoin::KeepTruePairs(Waiting& waiting, std::vector<Pair>& pairs,
                               std::vector<uint8_t>& gone) {
  using Outcome = JoinConditions::Outcome;
  const int64_t failed_before = stats_.rows_failed;
  const auto gone_before = std::count(gone.begin(), gone.end(), 1);
  std::vector<Pair> kept;
  for (size_t first = 0; first < pairs.size(); first += STANDARD_VECTOR_SIZE) {
    const idx_t count = std::min<size_t>(pairs.size() - first, STANDARD_VECTOR_SIZE);
    FillPairs(waiting, &pairs[first], count, output_);
    const std::vector<Outcome>& outcomes = residual_->Check(output_, stats_.rows_failed);
    for (idx_t i = 0; i < count; i++) {
      const Pair& pair = pairs[first + i];
      if (outcomes[i] == Outcome::kTrue) kept.push_back(pair);
      if (outcomes[i] == Outcome::kFailed) gone[pair.row] = 1;
    }
  }
  for (const Pair& pair : kept) gone[pair.row] = 0;
  // Of the pairs that failed one stands for each row that is gone; the others' rows were joined.
  stats_.rows_failed_taken +=
      stats_.rows_failed - failed_before - (std::count(gone.begin(), gone.end(), 1) - gone_before);
  pairs = std::move(kept);
}

void LookupJoin::EmitPairs(Waiting& waiting, const std::vector<Pair>& pairs) {
  std::map<uint32_t, const LateCandidate*> marks;
  for (const LateCandidate& late : waiting.late) marks[late.row] = &late;
  for (size_t first = 0; first < pairs.size(); first += STANDARD_VECTOR_SIZE) {
    const idx_t count = std::min<size_t>(pairs.size() - first, STANDARD_VECTOR_SIZE);
    FillPairs(waiting, &pairs[first], count, output_);
    Batch batch;
    batch.rows = &output_;
    for (idx_t i = 0; i < count && !marks.empty(); i++) {
      auto mark = marks.find(pairs[first + i].row);
      if (mark == marks.end()) continue;
      batch.late.push_back(*mark->second);
      batch.late.back().row = static_cast<uint32_t>(i);
    }
    if (!batch.late.empty()) batch.origin = &waiting.origins;
    emitter_.Emit(batch);
  }
}

std::string LookupJoin::KeyText(const Waiting& waiting, uint32_t row) const {
  constexpr size_t kShownBytes = 200;
  std::vector<std::string> parts;
  for (size_t i = 0; i < plan_.keys.size(); i++) {
    const std::string value = waiting.rows.GetValue(plan_.keys[i], row).ToSQLString();
    parts.push_back(i < plan_.key_names.size() ? plan_.key_names[i] + " = " + value : value);
  }
  std::string text = millrace::Join(parts, ", ");
  if (text.size() <= kShownBytes) return text;
  size_t end = kShownBytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) end--;  // whole characters
  return text.substr(0, end) + "…";
}

void LookupJoin::Bury(Waiting& waiting, uint32_t row, model::RowErrorKind kind,
                      std::string reason) {
  model::DeadLetter letter;
  letter.stage = "lookup";
  letter.job = context_.job;
  letter.kind = kind;
  letter.reason = std::move(reason);
  letter.payload = RowText(waiting.rows, row);
  context_.dead_letters->Add(std::move(letter));
}

void LookupJoin::Snapshot(state::StateWriter& writer) {
  if (plan_.cache.on) cache_.Snapshot(writer, id());
}

OperatorDescription LookupJoin::Describe() const {
  OperatorDescription description;
  description.name = "LookupJoin";
  description.detail =
      plan_.what.starts_with("function")
          ? fmt::format("{} of {}", plan_.what, plan_.on)
          : fmt::format("{} \"{}\" on {}", plan_.left ? "left, in" : "in", plan_.table, plan_.on);
  if (plan_.bury_missing) description.detail += "; rows without partner are dead letters";
  description.changelog = "append";
  if (!plan_.cache.on) {
    description.state = "no cache: every epoch asks once for each of its keys";
    description.freed_by = "the end of the epoch";
    return description;
  }
  std::string most =
      plan_.cache.rows_max > 0 ? fmt::format(", {} at most", plan_.cache.rows_max) : "";
  description.state = "cache: one answer per key" + most +
                      (plan_.cache.missing ? ", also that a key is missing" : "");
  description.freed_by = plan_.cache.ttl_us > 0
                             ? FormatDurationMicros(plan_.cache.ttl_us) + " after it was asked for"
                         : plan_.cache.rows_max > 0 ? "newer answers"
                                                    : "nothing";
  return description;
}

}  // namespace millrace::stream
