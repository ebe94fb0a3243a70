// Which version of a job runs, and by which text; runtime.cc has the rest.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/table_versions.h"
#include "env/clock.h"
#include "project/runtime.h"
#include "project/version_tables.h"

namespace millrace::project {

namespace {

// The topic of a further version, made like the first one's.
Status VersionTopic(log::Log& log, int version, std::map<std::string, std::string>& options) {
  std::string& topic = options["topic"];
  log::TopicConfig config;
  if (auto first = log.Describe(topic); first.ok()) config = first->config;
  topic += fmt::format(".v{}", version);
  if (log.Describe(topic).ok()) return Status::Ok();
  return log.CreateTopic(topic, config);
}

// `from`: "earliest", an offset, or milliseconds since 1970 with "ms" behind them.
void BeginAt(const std::string& from, log::Log& log, job::SourceTable& source) {
  auto& options = source.binding.options;
  if (source.binding.connector->spec.name != "kafka") return;
  if (from.empty() || from == "earliest") {
    options["scan.startup.mode"] = "earliest-offset";
  } else if (from.size() > 2 && from.compare(from.size() - 2, 2, "ms") == 0) {
    options["scan.startup.mode"] = "timestamp";
    options["scan.startup.timestamp-millis"] = from.substr(0, from.size() - 2);
  } else {
    auto topic = log.Describe(options["topic"]);
    const int partitions = topic.ok() ? topic->config.partitions : 1;
    std::string offsets;
    for (int p = 0; p < partitions; p++) {
      offsets += fmt::format("{}partition:{},offset:{}", p ? ";" : "", p, from);
    }
    options["scan.startup.mode"] = "specific-offsets";
    options["scan.startup.specific-offsets"] = offsets;
  }
}

}  // namespace

Result<std::unique_ptr<job::Job>> Runtime::OpenVersion(
    const Project& text, const std::string& job, const JobVersions& versions, int version,
    bool serving, std::function<bool(const model::DeadLetter&)> knows_letter) {
  // The job points into the text that it was made from: it takes one of its own along, unless it is
  // that of the project itself, which lives as long as everything here.
  std::shared_ptr<const Project> own;
  if (&text != project_.get()) {
    MR_ASSIGN_OR_RETURN(own, versions.LoadText(version, project_->config().target));
  }
  MR_ASSIGN_OR_RETURN(auto compiled, CompileJob(own ? *own : text, job));
  compiled->commit_name = versions.CommitName(version);
  auto& sink = compiled->sink_binding;
  const std::string& connector = sink.connector->spec.name;
  if (connector == "kafka" && version > 1) {
    MR_RETURN_IF_ERROR(VersionTopic(*log_, version, sink.options));
  } else if (!serving) {
    auto name = sink.options.try_emplace("table-name", compiled->sink->name).first;
    name->second = connectors::VersionedName(name->second, version);
  }
  if (version > 1) {
    for (job::SourceTable& source : compiled->sources) BeginAt(versions.from, *log_, source);
  }
  job::JobOptions options;
  options.state_directory = versions.StateDirectory(version);
  options.services = Services();
  options.knows_letter = std::move(knows_letter);
  options.on_commit = [this, own, serving](const std::string& table) {
    if (serving) Announce(table);
  };
  return job::Job::Open(std::move(compiled), std::move(options));
}

Result<std::unique_ptr<job::Job>> Runtime::OpenServing(const std::string& name, std::string& note) {
  MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(*project_, name));
  MR_RETURN_IF_ERROR(SettleVersions(*this, name, versions));
  if (versions.staged > 0) {
    note = fmt::format("job \"{0}\": version {1} is half filled; to go on: millrace reprocess {0}",
                       name, versions.staged);
  }
  auto opened = OpenVersion(*project_, name, versions, versions.serving, true);
  if (!opened.ok()) {
    if (opened.status().code() != Code::kFailedPrecondition) return opened.status();
    return OpenOldText(name, versions, opened.status(), note);
  }
  if ((*opened)->fit().kind == job::StateFit::Kind::kKeeps) {
    note = fmt::format(
        "job \"{0}\": its query changed ({1}) and it keeps its state: rows from now on are the new "
        "query's, older ones stay as they are. To make all of them anew: millrace reprocess {0}",
        name, Join((*opened)->fit().reasons, "; "));
  }
  MR_RETURN_IF_ERROR(versions.KeepText(versions.serving, *project_));
  return opened;
}

// `refused`: why the project's text cannot go on with the state. The text that made it can.
Result<std::unique_ptr<job::Job>> Runtime::OpenOldText(const std::string& name,
                                                       const JobVersions& versions, Status refused,
                                                       std::string& note) {
  auto old = versions.LoadText(versions.serving, project_->config().target);
  if (!old.ok() || versions.SameText(versions.serving, *project_)) return refused;
  auto opened = OpenVersion(**old, name, versions, versions.serving, true);
  if (!opened.ok()) return refused;
  MR_ASSIGN_OR_RETURN(auto current, CompileJob(*project_, name));
  const job::StateFit fit = job::Compare((*opened)->compiled().structure, current->structure);
  if (fit.kind == job::StateFit::Kind::kKeeps || fit.kind == job::StateFit::Kind::kSame) {
    // It died: what it had decided is the old query's to carry out.
    MR_RETURN_IF_ERROR((*opened)->Recover());
    MR_RETURN_IF_ERROR((*opened)->Checkpoint());
    opened->reset();
    opened = OpenVersion(*project_, name, versions, versions.serving, true);
    if (!opened.ok()) return refused;
    MR_RETURN_IF_ERROR(versions.KeepText(versions.serving, *project_));
    note = fmt::format("job \"{}\": its query changed ({}) and it keeps its state", name,
                       Join(fit.reasons, "; "));
    return opened;
  }
  const std::string why = fit.reasons.empty() ? refused.message() : Join(fit.reasons, "; ");
  note = fmt::format(
      "job \"{0}\": its query changed, and its state does not fit the new one ({1}). The old query "
      "goes on. To change over to the new one: millrace reprocess {0}",
      name, why);
  return opened;
}

Result<std::shared_ptr<const Project>> Runtime::ServingText(const std::string& job) const {
  MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(*project_, job));
  auto kept = versions.LoadText(versions.serving, project_->config().target);
  if (kept.ok()) return std::shared_ptr<const Project>(std::move(*kept));
  if (kept.status().code() != Code::kNotFound) return kept.status();
  return std::shared_ptr<const Project>(project_);
}

std::optional<job::JobStatus> Runtime::StopJob(const std::string& name) {
  std::shared_ptr<job::Job> job;
  std::thread thread;
  {
    std::lock_guard<std::mutex> lock(jobs_mutex_);
    for (Place& place : jobs_) {
      if (place.name != name || !place.job) continue;
      job = place.job;
      thread = std::move(place.thread);
    }
  }
  if (!job) return std::nullopt;
  job->RequestStop();
  if (log_) log_->WakeWaiters();
  if (thread.joinable()) thread.join();
  job::JobStatus last = job->status();
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  for (Place& place : jobs_) {
    if (place.name != name) continue;
    place.last = last;
    place.job.reset();
  }
  return last;
}

Status Runtime::StartJob(const std::string& name) {
  {
    std::lock_guard<std::mutex> lock(jobs_mutex_);
    if (!started_ || stopping_) return Status::Ok();
  }
  MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(*project_, name));
  MR_ASSIGN_OR_RETURN(auto text, ServingText(name));
  MR_ASSIGN_OR_RETURN(auto opened, OpenVersion(*text, name, versions, versions.serving, true));
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  if (stopping_) return Status::Ok();
  auto place =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const Place& p) { return p.name == name; });
  if (place == jobs_.end()) place = jobs_.insert(jobs_.end(), Place{name, nullptr, {}, {}});
  place->job = std::move(opened);
  Run(*place);
  return Status::Ok();
}

}  // namespace millrace::project
