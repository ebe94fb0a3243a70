#include "project/reprocess_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "env/clock.h"
#include "env/diag.h"
#include "job/saved_progress.h"
#include "project/change_plan.h"
#include "project/version_tables.h"

namespace millrace::project {

namespace {
// The old version is stopped when so little is left: it is read while readers wait for news.
constexpr int64_t kLittleLeft = 2'000;
constexpr auto kLookEvery = std::chrono::milliseconds(20);
}  // namespace

Reprocessor::Task::~Task() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

Status Reprocessor::Task::Prepare() {
  started_us_ = env::Clock::System()->MonotonicMicros();
  MR_ASSIGN_OR_RETURN(versions_, JobVersions::Load(runtime_.project(), request_.job));
  MR_RETURN_IF_ERROR(SettleVersions(runtime_, request_.job, versions_));
  MR_RETURN_IF_ERROR(CheckPossible());
  MR_RETURN_IF_ERROR(ChooseVersion());
  progress_.job = request_.job;
  progress_.from_version = versions_.serving;
  progress_.to_version = versions_.staged;
  return OpenStaged();
}

Status Reprocessor::Task::CheckPossible() {
  if (request_.action == ReprocessRequest::Action::kRollback) {
    if (versions_.previous > 0) return Status::Ok();
    return Status(
        Code::kFailedPrecondition,
        fmt::format("job \"{}\" has no version to go back to: version {} serves, and none "
                    "before it is kept",
                    request_.job, versions_.serving));
  }
  MR_ASSIGN_OR_RETURN(auto now, ReadTextNow(runtime_));
  text_ = std::move(now);
  MR_ASSIGN_OR_RETURN(auto changes, PlanChanges(runtime_, *text_, request_.job));
  if (changes[0].kind == JobChange::Kind::kNew) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("job \"{}\" has not run yet: there is nothing to compute anew",
                              request_.job))
        .WithHint("start it with `millrace dev`");
  }
  // Somebody who says where to begin knows that older records are missing.
  const bool deleted = changes[0].input_deleted;
  if (!changes[0].refusal.empty() && !(deleted && request_.from != "earliest")) {
    Status refused(Code::kFailedPrecondition, fmt::format("job \"{}\" cannot be computed anew: {}",
                                                          request_.job, changes[0].refusal));
    if (!deleted) return refused;
    return std::move(refused).WithHint("to leave the older records out: --from OFFSET, or a time");
  }
  return Status::Ok();
}

Status Reprocessor::Task::ChooseVersion() {
  if (request_.action == ReprocessRequest::Action::kRollback) {
    if (versions_.staged != versions_.previous) MR_RETURN_IF_ERROR(DiscardStaged());
    versions_.staged = versions_.previous;
    goes_on_ = true;
    MR_ASSIGN_OR_RETURN(text_,
                        versions_.LoadText(versions_.staged, runtime_.project().config().target));
    return versions_.Save();
  }
  if (versions_.staged > 0 && versions_.staged != versions_.previous &&
      versions_.from == request_.from && versions_.SameText(versions_.staged, *text_)) {
    goes_on_ = true;  // with what was filled
    return Status::Ok();
  }
  MR_RETURN_IF_ERROR(DiscardStaged());
  const int number = versions_.TakeNumber();
  // What may be left of a number that was never saved.
  MR_RETURN_IF_ERROR(versions_.Remove(number));
  MR_ASSIGN_OR_RETURN(auto tables, OpenTables(runtime_, *text_, request_.job));
  if (tables) MR_RETURN_IF_ERROR(tables->Drop(number, versions_.CommitName(number)));
  MR_RETURN_IF_ERROR(versions_.KeepText(number, *text_));
  versions_.staged = number;
  versions_.from = request_.from;
  return versions_.Save();
}

Status Reprocessor::Task::DiscardStaged() {
  const int staged = versions_.staged;
  if (staged > 0 && staged != versions_.previous) {
    MR_RETURN_IF_ERROR(DropVersion(runtime_, request_.job, versions_, staged));
  }
  versions_.staged = 0;
  return Status::Ok();
}

Status Reprocessor::Task::OpenStaged() {
  MR_ASSIGN_OR_RETURN(
      staged_,
      runtime_.OpenVersion(*text_, request_.job, versions_, versions_.staged, false,
                           [this](const model::DeadLetter& l) { return known_letters_.Knows(l); }));
  const auto& sink = staged_->compiled().sink_binding;
  if (sink.connector->spec.name == "kafka") {
    note_ = fmt::format("its rows are in topic \"{}\": readers have to change over to it",
                        sink.options.at("topic"));
  }
  Publish(ReprocessProgress::Phase::kFilling);
  return Status::Ok();
}

void Reprocessor::Task::Start() {
  staged_thread_ = std::thread([this] { (void)staged_->Run(); });
  thread_ = std::thread([this] { Run(); });
}

void Reprocessor::Task::Run() {
  Status status = FillAndChange();
  if (staged_) staged_->RequestStop();
  runtime_.log().WakeWaiters();
  if (staged_thread_.joinable()) staged_thread_.join();
  staged_.reset();
  if (!status.ok()) {
    // Whichever version serves, by what was durable, goes on.
    if (!StopWanted() && !runtime_.FindJob(request_.job)) {
      Status started = runtime_.StartJob(request_.job);
      if (!started.ok()) diag::Error("job does not start again: {}", started.message());
    }
    diag::Error("reprocess failed job={} error=\"{}\"", request_.job, status.message());
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.error = status;
    progress_.phase = ReprocessProgress::Phase::kFailed;
    return;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (progress_.phase != ReprocessProgress::Phase::kDone) {
    progress_.phase = ReprocessProgress::Phase::kStopped;
  }
}

Status Reprocessor::Task::FillAndChange() {
  MR_RETURN_IF_ERROR(Fill());
  if (StopWanted()) return Status::Ok();
  Publish(ReprocessProgress::Phase::kChangingOver);
  MR_ASSIGN_OR_RETURN(const Positions wanted, EndOfOld());
  MR_RETURN_IF_ERROR(CatchUp(wanted));
  if (StopWanted()) return Status::Ok();
  return Change();
}

Status Reprocessor::Task::Fill() {
  bool first = true;
  while (!StopWanted()) {
    const job::JobStatus status = staged_->status();
    if (status.state == job::JobState::kFailed) return status.error;
    Publish(ReprocessProgress::Phase::kFilling);
    const bool started = status.state != job::JobState::kStarting;
    if (started && first && goes_on_) rows_before_ = status.rows_in;
    first = first && !started;
    // What is no topic says by being quiet that there is no more.
    const bool all_topics = std::all_of(status.sources.begin(), status.sources.end(),
                                        [](const auto& source) { return !source.topic.empty(); });
    const bool quiet =
        status.state == job::JobState::kIdle || status.state == job::JobState::kFinished;
    if (started && (quiet || (all_topics && RecordsLeft(status) <= kLittleLeft))) break;
    std::this_thread::sleep_for(kLookEvery);
  }
  return Status::Ok();
}

// Ends the old version. It has to have run by a text that is known, or nothing can be said.
Result<Reprocessor::Task::Positions> Reprocessor::Task::EndOfOld() {
  if (auto last = runtime_.StopJob(request_.job)) return PositionsOf(*last);
  auto old = versions_.LoadText(versions_.serving, runtime_.project().config().target);
  if (!old.ok()) {
    note_ += fmt::format("{}how far version {} had read is not known", note_.empty() ? "" : "; ",
                         versions_.serving);
    return Positions();
  }
  MR_ASSIGN_OR_RETURN(auto compiled, CompileJob(**old, request_.job));
  MR_ASSIGN_OR_RETURN(auto saved,
                      job::ReadProgress(*compiled, versions_.StateDirectory(versions_.serving)));
  Positions positions;
  for (size_t i = 0; i < saved.position.sources.size(); i++) {
    auto topic = compiled->sources[i].binding.options.find("topic");
    if (topic == compiled->sources[i].binding.options.end()) continue;
    for (const job::SplitPosition& split : saved.position.sources[i]) {
      positions[{topic->second, split.split}] = split.to;
    }
  }
  return positions;
}

// Readers must not go back in time: the new version has read all that the old one had.
Status Reprocessor::Task::CatchUp(const Positions& wanted) {
  while (!StopWanted()) {
    const job::JobStatus status = staged_->status();
    if (status.state == job::JobState::kFailed) return status.error;
    const Positions reached = PositionsOf(status);
    const bool all = std::all_of(wanted.begin(), wanted.end(), [&](const auto& one) {
      auto found = reached.find(one.first);
      return found == reached.end() || found->second >= one.second;
    });
    if (all || status.state == job::JobState::kFinished) return Status::Ok();
    std::this_thread::sleep_for(kLookEvery);
  }
  return Status::Ok();
}

Status Reprocessor::Task::Change() {
  staged_->RequestStop();
  runtime_.log().WakeWaiters();
  staged_thread_.join();
  const job::JobStatus last = staged_->status();
  if (last.state == job::JobState::kFailed) return last.error;
  staged_.reset();
  MR_ASSIGN_OR_RETURN(auto tables, OpenTables(runtime_, *text_, request_.job));
  if (tables) MR_RETURN_IF_ERROR(tables->Swap(versions_.serving, versions_.staged));
  versions_.Promote();
  MR_RETURN_IF_ERROR(versions_.Save());
  diag::Info("reprocessed job={} version={} instead_of={}", request_.job, versions_.serving,
             versions_.previous);
  MR_RETURN_IF_ERROR(runtime_.StartJob(request_.job));
  MR_RETURN_IF_ERROR(SettleVersions(runtime_, request_.job, versions_));
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.records_read = last.rows_in - rows_before_;
  progress_.records_left = 0;
  progress_.note = note_;
  progress_.phase = ReprocessProgress::Phase::kDone;
  return Status::Ok();
}

Reprocessor::Task::Positions Reprocessor::Task::PositionsOf(const job::JobStatus& status) {
  Positions positions;
  for (const job::SourceStatus& source : status.sources) {
    if (source.topic.empty()) continue;
    for (const job::SplitPosition& split : source.splits) {
      positions[{source.topic, split.split}] = split.to;
    }
  }
  return positions;
}

int64_t Reprocessor::Task::RecordsLeft(const job::JobStatus& status) const {
  int64_t left = 0;
  for (const auto& [split, offset] : PositionsOf(status)) {
    auto at = runtime_.log().DescribePartition(split.first, std::atoi(split.second.c_str()));
    if (at.ok()) left += std::max<int64_t>(0, at->stable_offset - offset);
  }
  return left;
}

void Reprocessor::Task::Publish(ReprocessProgress::Phase phase) {
  const job::JobStatus status = staged_->status();
  const int64_t left = RecordsLeft(status);
  const double seconds =
      static_cast<double>(env::Clock::System()->MonotonicMicros() - started_us_) / 1e6;
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.phase = phase;
  progress_.records_read = std::max<int64_t>(0, status.rows_in - rows_before_);
  progress_.records_left = left;
  progress_.records_per_second =
      seconds > 0 ? static_cast<double>(progress_.records_read) / seconds : 0;
  progress_.note = note_;
}

ReprocessProgress Reprocessor::Task::Progress() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

}  // namespace millrace::project
