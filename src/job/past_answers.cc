#include "job/past_answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "stream/columns.h"
#include "stream/lookup_answer.h"
#include "stream/row_codec.h"

namespace millrace::job {

namespace {

std::vector<std::string> NamesOf(const LookupTable& table, const std::vector<size_t>& columns) {
  std::vector<std::string> names;
  for (size_t c : columns) names.push_back(table.columns.columns[c].name);
  return names;
}

// `count` rows of some of a table's columns, one after the other.
std::vector<std::vector<duckdb::Value>> DecodeRows(const LookupTable& table,
                                                   const std::vector<size_t>& columns,
                                                   std::string_view bytes, uint32_t count) {
  std::vector<std::vector<duckdb::Value>> rows(count);
  duckdb::vector<duckdb::LogicalType> types;
  for (size_t c : columns) types.push_back(table.columns.columns[c].type);
  if (types.empty()) return rows;
  const stream::RowCodec codec(types);
  duckdb::DataChunk chunk;
  chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types, 1);
  for (std::vector<duckdb::Value>& row : rows) {
    chunk.Reset();
    bytes.remove_prefix(codec.Decode(bytes, chunk, stream::FirstColumns(types.size()), 0));
    chunk.SetCardinality(1);
    for (size_t c = 0; c < types.size(); c++) row.push_back(chunk.GetValue(c, 0));
  }
  return rows;
}

std::string KeyText(const PastAnswer& answer) {
  std::vector<std::string> parts;
  for (size_t c = 0; c < answer.key.size(); c++) {
    parts.push_back(answer.key_columns[c] + "=" + answer.key[c].ToString());
  }
  return Join(parts, ", ");
}

}  // namespace

Result<std::unique_ptr<PastAnswers>> PastAnswers::Open(std::unique_ptr<CompiledJob> job,
                                                       const std::string& state_directory) {
  std::unique_ptr<PastAnswers> answers(new PastAnswers());
  answers->job_ = std::move(job);
  MR_ASSIGN_OR_RETURN(answers->history_,
                      state::AnswerHistory::Open(env::FileSystem::Real(), state_directory));
  return answers;
}

void PastAnswers::AnswerFor(const CompiledJob& copy, model::Epoch epoch) {
  copy_ = &copy;
  epoch_ = epoch;
  next_epoch_.reset();
  used_.clear();
  failure_ = Status::Ok();
}

// The operators of the job, one in each shard, that ask as `use` does.
std::vector<uint32_t> PastAnswers::AskersOf(const stream::LookupUse& use) const {
  std::vector<const stream::JobPlan*> plans = {&job_->plan};
  for (const stream::JobPlan& plan : job_->more_shards) plans.push_back(&plan);
  std::vector<uint32_t> askers;
  for (const stream::JobPlan* plan : plans) {
    for (const stream::LookupUse& one : plan->lookups) {
      if (one.table == use.table && one.keys == use.keys && one.columns == use.columns &&
          std::find(askers.begin(), askers.end(), one.asker) == askers.end()) {
        askers.push_back(one.asker);
      }
    }
  }
  return askers;
}

Status PastAnswers::Ask(uint32_t asker, const stream::EncodedKeys& requests,
                        std::vector<std::string>& responses) {
  const auto& uses = copy_->plan.lookups;
  auto use = std::find_if(uses.begin(), uses.end(),
                          [&](const stream::LookupUse& one) { return one.asker == asker; });
  MR_CHECK(use != uses.end(), "a lookup is one of its plan's");
  responses.clear();
  for (size_t i = 0; i < requests.size(); i++) {
    auto response = Find(*use, requests[i]);
    if (!response.ok()) failure_ = response.status();
    responses.push_back(response.ok() ? std::move(*response)
                                      : stream::LookupAnswer::Bad(response.status().message()));
  }
  return Status::Ok();
}

Result<std::string> PastAnswers::Find(const stream::LookupUse& use, std::string_view request) {
  const LookupTable& table = copy_->lookups.at(use.table);
  PastAnswer used;
  used.from = use.table;
  used.key_columns = NamesOf(table, use.keys);
  used.key = DecodeRows(table, use.keys, request, 1)[0];
  used.columns = NamesOf(table, use.columns);
  const std::vector<uint32_t> askers = AskersOf(use);
  if (askers.empty()) {
    return Status(Code::kUnsupported,
                  fmt::format("asks \"{}\" for other columns than the job does, whose answers are "
                              "shown with the job",
                              use.table));
  }
  std::optional<state::AnswerHistory::Answer> newest;
  for (uint32_t asker : askers) {
    MR_ASSIGN_OR_RETURN(auto answer, history_->Find(asker, request, epoch_));
    MR_ASSIGN_OR_RETURN(auto next, history_->NextAfter(asker, request, epoch_));
    if (next && (!next_epoch_ || *next < *next_epoch_)) next_epoch_ = next;
    if (!answer) continue;
    if (newest && answer->response != newest->response) {
      used.note = "shards of the job, or its uses of the table, got different answers: the newest";
    }
    if (!newest || answer->fetched_us > newest->fetched_us) newest = std::move(answer);
  }
  if (!newest) {
    return Status(Code::kNotFound,
                  fmt::format("asks \"{}\" for {}, and what it answered then is not kept any more "
                              "(SET 'millrace.lookup.answers-kept')",
                              use.table, KeyText(used)));
  }
  const stream::LookupAnswer answer = stream::LookupAnswer::Read(newest->response);
  if (answer.kind == stream::AnswerKind::kBad) {
    used.unusable = std::string(answer.rest);
  } else {
    used.rows = DecodeRows(table, use.columns, answer.rest, answer.count);
  }
  used.version = std::string(answer.version);
  used.epoch = newest->epoch;
  used.time_ms = newest->fetched_us / 1000;
  used_.push_back(std::move(used));
  return std::move(newest->response);
}

}  // namespace millrace::job
