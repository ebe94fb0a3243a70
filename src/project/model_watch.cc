#include "project/model_watch.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "base/strings.h"
#include "env/clock.h"
#include "project/change_plan.h"
#include "project/model_watch_settings.h"
#include "project/stream_models.h"

namespace millrace::project {

namespace fs = std::filesystem;

namespace {

// So long after the last of several writes they are read: git and editors write more than one file.
constexpr int64_t kQuietMs = 10;
constexpr auto kAskEvery = std::chrono::milliseconds(100);

bool IsBelow(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

Status ModelWatch::Start(Options options) {
  const ModelWatchMode mode = ModelWatchSettingsOf(runtime_.project()).mode;
  if (mode == ModelWatchMode::kOff || !HasModels(runtime_.project().directory())) {
    return Status::Ok();
  }
  MR_ASSIGN_OR_RETURN(watch_, env::FileWatch::Open());
  mode_ = mode == ModelWatchMode::kBuild ? "build" : "check";
  base_ = fs::absolute(runtime_.project().directory()).lexically_normal().string();
  while (base_.ends_with("/")) base_.pop_back();
  options_ = std::move(options);
  thread_ = std::thread([this] { Run(); });
  return Status::Ok();
}

void ModelWatch::Stop() {
  stopping_ = true;
  if (watch_) watch_->Interrupt();
  if (thread_.joinable()) thread_.join();
}

std::string ModelWatch::LastReportJson() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return last_report_;
}

void ModelWatch::SetFault(const Status& fault) {
  if (fault_ == fault.message()) return;
  fault_ = fault.message();
  options_.say("models are not all watched: " + fault.ToString() + "\n");
}

void ModelWatch::Run() {
  ReadAgain({});
  while (!stopping_) {
    auto changes = watch_->Wait(kQuietMs);
    if (stopping_) return;
    if (!changes.ok()) {
      SetFault(changes.status());
      if (changes.status().code() != Code::kResourceExhausted) return;
      changes = env::FileChanges{.paths = {}, .lost = true};
    }
    const auto matters = [this](const std::string& path) { return Matters(path); };
    std::erase_if(changes->paths, [&](const std::string& path) { return !matters(path); });
    if (!changes->empty()) ReadAgain(*changes);
  }
}

bool ModelWatch::Matters(const std::string& path) const {
  const fs::path name = fs::path(path).filename();
  if (name == "dbt_project.yml" || name == "profiles.yml") return true;
  for (const std::string& tree : memory_.trees()) {
    if (path == tree || IsBelow(tree, path)) return true;
    // What is no file of a project by its name is a directory, or an editor's.
    if (!IsBelow(path, tree)) continue;
    static const std::set<std::string> kExtensions = {".sql", ".yml", ".yaml", ".md",
                                                      ".csv", ".py",  ""};
    return kExtensions.contains(name.extension().string());
  }
  for (const std::string& directory : memory_.directories()) {
    if (path == directory || IsBelow(directory, path)) return true;
  }
  return fs::path(path).parent_path().filename() == "dbt_packages";
}

bool ModelWatch::WatchPlaces() {
  bool added = false;
  auto watch = [&](const std::string& directory, bool below) {
    auto fresh = watch_->Add(directory, below);
    if (!fresh.ok()) {
      SetFault(fresh.status());
    } else if (*fresh) {
      memory_.Forget(directory);
      added = true;
    }
  };
  for (const std::string& directory : memory_.directories()) watch(directory, false);
  for (const std::string& tree : memory_.trees()) watch(tree, true);
  return added;
}

void ModelWatch::ReadAgain(const env::FileChanges& changes) {
  const int64_t began_us = env::Clock::System()->MonotonicMicros();
  ModelReport report;
  if (changes.lost) memory_.ForgetAll();
  for (const std::string& path : changes.paths) {
    memory_.Forget(path);
    report.files.push_back(IsBelow(path, base_) ? path.substr(base_.size() + 1) : path);
  }
  if (changes.lost) report.files.emplace_back("many files");
  dbt::ProjectOptions options;
  options.directory = runtime_.project().directory();
  for (const sql::Table* table : runtime_.project().catalog().Tables()) {
    options.streams.insert(table->name);
  }
  WatchPlaces();
  auto models = memory_.Load(options);
  // What was not watched yet may have changed since it was read.
  while (WatchPlaces()) models = memory_.Load(options);
  report.error = models.status();
  if (models.ok() && last_) {
    report.error = Explain(dbt::ChangesBetween(*last_, **models), *last_, **models, report);
  } else if (models.ok()) {
    report.error = Explain({}, {}, **models, report);
  }
  report.at_ms = env::Clock::System()->WallMicros() / 1000;
  report.took_us = env::Clock::System()->MonotonicMicros() - began_us;
  report.repaired = !was_good_ && report.error.ok();
  was_good_ = report.error.ok();
  std::optional<dbt::ProjectContents> before;  // given up when all is said
  if (was_good_) {
    before = std::exchange(
        last_, dbt::ProjectContents{std::move((*models)->nodes), std::move((*models)->macros)});
  }
  Tell(report);
  if (!report.streams.empty()) Plan(report);
  if (mode_ == "build" && report.error.ok() && !report.selection.empty()) Build(report);
}

void ModelWatch::Keep(const ModelReport& report) {
  if (report.files.empty() && report.error.ok()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  last_report_ = report.ToJson(runtime_.project().directory());
}

void ModelWatch::Tell(const ModelReport& report) {
  Keep(report);
  options_.say(report.ToText(runtime_.project().directory()));
}

// What `millrace plan` says; nothing is done about it.
void ModelWatch::Plan(ModelReport& report) {
  auto text = ReadTextNow(runtime_);
  auto changes =
      text.ok() ? PlanChanges(runtime_, **text, "") : Result<std::vector<JobChange>>(text.status());
  if (changes.ok()) {
    std::erase_if(*changes,
                  [](const JobChange& job) { return job.kind == JobChange::Kind::kSame; });
    if (changes->empty()) return;
    report.plan = ChangesText(*changes);
  } else {
    report.plan = changes.status().ToString();
  }
  Keep(report);
  options_.say("  jobs go on as they are; a start of the pipeline would:\n" + report.plan);
}

void ModelWatch::Build(const ModelReport& report) {
  const std::string request =
      dbt::Value::Object(
          {{"command", "build"}, {"select", report.selection}, {"exclude", report.streams}})
          .ToJson();
  while (!stopping_) {
    auto started = options_.build(request);
    if (started.ok()) {
      auto run = dbt::Value::FromJson(*started);
      if (run.ok()) Follow((*run)["run"].whole());
      return;
    }
    if (started.status().code() != Code::kUnavailable) {
      options_.say("  not built: " + started.status().ToString() + "\n");
      return;
    }
    std::this_thread::sleep_for(kAskEvery);  // another run is at work
  }
}

// Says how each node of the run ended, until the run has.
void ModelWatch::Follow(int64_t run) {
  std::map<std::string, size_t> ends;
  for (size_t seen = 0; !stopping_;) {
    auto answer = options_.events(run, seen);
    auto state = answer.ok() ? dbt::Value::FromJson(*answer) : answer.status();
    if (!state.ok()) return options_.say("  build: " + state.status().ToString() + "\n");
    const dbt::Value::List& events = (*state)["events"].list();
    seen += events.size();
    for (const dbt::Value& event : events) {
      const std::string status = event["status"].text();
      if (status.empty()) continue;
      ends[status]++;
      if (status == "success" || status == "pass" || status == "skipped") continue;
      options_.say(fmt::format("  {} {} {}: {}\n", status, event["kind"].text(),
                               event["name"].text(), event["message"].text()));
    }
    if ((*state)["ended"].truth()) {
      const std::string error = (*state)["error"].text();
      if (!error.empty()) options_.say("  build: " + error + "\n");
      std::vector<std::string> counts;
      for (const auto& [status, count] : ends)
        counts.push_back(fmt::format("{} {}", count, status));
      return options_.say("  built: " + Join(counts, ", ") + "\n");
    }
    if (events.empty()) std::this_thread::sleep_for(kAskEvery);
  }
}

}  // namespace millrace::project
