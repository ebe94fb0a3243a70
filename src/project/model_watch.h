// ModelWatch: follows the files of the dbt project that lies in a pipeline at work, and says at
// once what a change amounts to: an error with its place, or what it reaches and how to build that.
//
// Contract
//   threads   one of its own; LastReportJson from any.
//   reading   as dbt::ReadMemory has it: only what changed, and the same as all of it. A file that
//             is half written is an error until it is whole.
//   effects   none but words: tables are built and jobs changed by who is told. With `watch: build`
//             in millrace.yml `build` is asked for what changed and all below it; never for stream
//             models, whose jobs go on as they are until the pipeline is started anew.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "dbt/project_changes.h"
#include "dbt/read_memory.h"
#include "env/file_watch.h"
#include "project/model_report.h"
#include "project/runtime.h"

namespace millrace::project {

class ModelWatch {
 public:
  struct Options {
    // Takes lines for people, as they come; called by the watch's thread, also of a build.
    std::function<void(const std::string& text)> say;
    // ModelDesk::Start and EventsJson.
    std::function<Result<std::string>(std::string_view request)> build;
    std::function<Result<std::string>(int64_t run, size_t from)> events;
  };

  // `runtime` outlives the watch.
  explicit ModelWatch(Runtime& runtime) : runtime_(runtime) {}
  ~ModelWatch() { Stop(); }

  // Begins, where there is a dbt project and millrace.yml does not say `watch: off`. May be called
  // once. Errors: those of FileWatch::Open.
  Status Start(Options options);
  void Stop();

  // ModelReport::ToJson of the last change; null before the first.
  std::string LastReportJson() const;

 private:
  void Run();
  // Whether a change of that path can be one of the project.
  bool Matters(const std::string& path) const;
  // Watches where the last read looked; whether there was anything new to watch.
  bool WatchPlaces();
  void ReadAgain(const env::FileChanges& changes);
  void Plan(ModelReport& report);
  void Build(const ModelReport& report);
  void Follow(int64_t run);
  void Keep(const ModelReport& report);
  void Tell(const ModelReport& report);
  void SetFault(const Status& fault);

  Runtime& runtime_;
  Options options_;
  std::string base_;  // the project's absolute directory
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  // Of the thread.
  std::unique_ptr<env::FileWatch> watch_;
  dbt::ReadMemory memory_;
  std::optional<dbt::ProjectContents> last_;  // of the last read that was good
  bool was_good_ = true;

  std::string mode_;
  std::string fault_;

  mutable std::mutex mutex_;  // of what follows
  std::string last_report_ = "null";
};

}  // namespace millrace::project
