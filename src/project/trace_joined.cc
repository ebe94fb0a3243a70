#include "project/trace_joined.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "job/version_witness.h"

namespace millrace::project {

namespace {

constexpr int kRunsMax = 150;

using Indexes = std::vector<size_t>;

// QuickXplain's recursion. The calls that are left are counted down; below 0 the result is void.
class Halving {
 public:
  Halving(const Holds& holds, int calls_max) : holds_(holds), calls_left_(calls_max) {}

  // The fewest of `some` that `kept` needs beside it. `grown`: `kept` is more than when it was last
  // asked without any of `some`.
  Result<Indexes> Fewest(const Indexes& kept, bool grown, const Indexes& some) {
    if (grown) {
      MR_ASSIGN_OR_RETURN(const bool enough, Ask(kept));
      if (enough) return Indexes();
    }
    if (some.size() <= 1 || !ended().empty()) return some;
    const auto middle = some.begin() + static_cast<int64_t>(some.size() / 2);
    const Indexes first(some.begin(), middle), second(middle, some.end());
    MR_ASSIGN_OR_RETURN(Indexes of_second, Fewest(With(kept, first), true, second));
    MR_ASSIGN_OR_RETURN(const Indexes of_first,
                        Fewest(With(kept, of_second), !of_second.empty(), first));
    return With(of_first, of_second);
  }

  // Why there is no answer; "": there is.
  std::string ended() const { return calls_left_ < 0 ? "too many calls" : ""; }

 private:
  static Indexes With(Indexes some, const Indexes& more) {
    some.insert(some.end(), more.begin(), more.end());
    std::sort(some.begin(), some.end());
    return some;
  }
  Result<bool> Ask(const Indexes& some) {
    if (--calls_left_ < 0) return false;
    return holds_(some);
  }
  const Holds& holds_;
  int calls_left_;
};

using Row = std::vector<CellText>;

// Bags: what is in `rows` and not in `without`, in its order.
std::vector<Row> Less(const std::vector<Row>& rows, const std::vector<Row>& without) {
  std::multiset<Row> away(without.begin(), without.end());
  std::vector<Row> left;
  for (const Row& row : rows) {
    auto found = away.find(row);
    if (found == away.end()) {
      left.push_back(row);
    } else {
      away.erase(found);
    }
  }
  return left;
}

class Joined {
 public:
  Joined(const Project& project, const TraceRecord& record, const CompilePlan& compile,
         TraceStage& stage)
      : project_(project), record_(record), compile_(compile), stage_(stage) {}

  Status Run(const TraceAccess& access, bool names_partners) {
    MR_RETURN_IF_ERROR(ReadOthers(access));
    if (!stage_.note.empty()) return Status::Ok();
    Indexes all(others_.size());
    std::iota(all.begin(), all.end(), 0);
    MR_RETURN_IF_ERROR(RunWithAll(all));
    if (stage_.made.rows.empty() || !names_partners) return Status::Ok();
    MR_ASSIGN_OR_RETURN(const auto fewest,
                        Fewest(all.size(), kRunsMax, [&](const Indexes& some) -> Result<bool> {
                          MR_ASSIGN_OR_RETURN(const auto made, MadeWith(some));
                          return Less(stage_.made.rows, made).empty();
                        }));
    if (!fewest) {
      stage_.partners_note = "its rows have too many partners to name them";
      return Status::Ok();
    }
    for (const size_t one : *fewest) stage_.partners.push_back(others_[one]);
    return Status::Ok();
  }

 private:
  // All records that may be partners, topic by topic, in the order in which they are read.
  Status ReadOthers(const TraceAccess& access) {
    MR_ASSIGN_OR_RETURN(const auto plan, compile_());
    std::multiset<std::string> topics;
    for (const job::SourceTable& source : plan->sources) topics.insert(TopicOf(source));
    // Fewer tables than its joins have sides: one is read twice, as far as is known the record's.
    const bool joins_itself = plan->sources.size() <= job::CountStreamJoins(*plan);
    for (auto topic = topics.begin(); topic != topics.end(); topic = topics.upper_bound(*topic)) {
      topics_.insert(*topic);
      if (*topic == record_.topic && topics.count(*topic) == 1 && !joins_itself) continue;
      if (topic->empty() || !access.read_topic) {
        stage_.note = "joins what cannot be read from here: its partners are not told";
        return Status::Ok();
      }
      auto records = access.read_topic(*topic);
      if (records.status().code() == Code::kResourceExhausted) {
        stage_.note = records.status().message();
        return Status::Ok();
      }
      MR_RETURN_IF_ERROR(records.status());
      for (TraceRecord& one : *records) {
        if (!IsRecord(one)) others_.push_back(std::move(one));
      }
    }
    return Status::Ok();
  }
  bool IsRecord(const TraceRecord& one) const {
    return std::tie(one.topic, one.partition, one.offset) ==
           std::tie(record_.topic, record_.partition, record_.offset);
  }

  Status RunWithAll(const Indexes& all) {
    std::vector<TraceRefusal> letters;
    MR_ASSIGN_OR_RETURN(const auto with, Made(all, true, &letters));
    if (!failure_.empty()) {
      stage_.note = "the job fails on its records: " + failure_;
      return Status::Ok();
    }
    MR_ASSIGN_OR_RETURN(const auto without, Made(all, false, nullptr));
    makes_others_ = !without.empty();
    stage_.made.rows = Less(with, without);
    // Letters that are not of the record alone say nothing of it.
    const bool alone = std::none_of(others_.begin(), others_.end(),
                                    [&](const auto& one) { return one.topic == record_.topic; });
    if (alone) stage_.refused = std::move(letters);
    return Status::Ok();
  }

  // What the plan makes of these others with the record, and does not make of them without it.
  Result<std::vector<Row>> MadeWith(const Indexes& some) {
    MR_ASSIGN_OR_RETURN(auto with, Made(some, true, nullptr));
    if (with.empty() || !makes_others_) return with;
    MR_ASSIGN_OR_RETURN(const auto without, Made(some, false, nullptr));
    return Less(with, without);
  }

  Result<std::vector<Row>> Made(const Indexes& some, bool with_record,
                                std::vector<TraceRefusal>* letters) {
    PrivateRun run(project_, record_.offset, record_.timestamp_ms * 1000);
    MR_RETURN_IF_ERROR(run.Open());
    for (const std::string& topic : topics_) {
      std::vector<TraceRecord> records;
      for (const size_t one : some) {
        if (others_[one].topic == topic) records.push_back(others_[one]);
      }
      if (with_record && topic == record_.topic) {
        const auto place = std::find_if(records.begin(), records.end(), [&](const auto& one) {
          return std::tie(one.partition, one.offset) > std::tie(record_.partition, record_.offset);
        });
        records.insert(place, record_);
      }
      MR_RETURN_IF_ERROR(run.AddTopic(topic, records));
    }
    MR_ASSIGN_OR_RETURN(auto plan, compile_());
    TraceRows made;
    Status outcome;
    MR_RETURN_IF_ERROR(run.RunToEnd(std::move(plan), nullptr, made, outcome));
    failure_ = outcome.message();
    if (letters) {
      MR_ASSIGN_OR_RETURN(*letters, run.NewLetters(record_.topic));
    }
    if (!failure_.empty()) made.rows.clear();
    return std::move(made.rows);
  }

  const Project& project_;
  const TraceRecord& record_;
  const CompilePlan& compile_;
  TraceStage& stage_;
  std::set<std::string> topics_;
  std::vector<TraceRecord> others_;
  bool makes_others_ = false;  // rows without the record
  std::string failure_;        // of the last run; "": none
};

}  // namespace

Result<std::optional<std::vector<size_t>>> Fewest(size_t count, int calls_max, const Holds& holds) {
  Indexes all(count);
  std::iota(all.begin(), all.end(), 0);
  Halving halving(holds, calls_max);
  MR_ASSIGN_OR_RETURN(Indexes fewest, halving.Fewest({}, true, all));
  if (!halving.ended().empty()) return std::optional<Indexes>();
  return std::optional<Indexes>(std::move(fewest));
}

Status RunJoined(const Project& project, const TraceRecord& record, const TraceAccess& access,
                 const CompilePlan& compile, bool names_partners, TraceStage& stage) {
  return Joined(project, record, compile, stage).Run(access, names_partners);
}

}  // namespace millrace::project
