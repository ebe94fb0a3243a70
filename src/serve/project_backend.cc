#include "serve/project_backend.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/strings.h"
#include "env/clock.h"
#include "env/diag.h"
#include "project/change_plan.h"
#include "project/dashboard.h"
#include "project/lineage_text.h"
#include "project/model_desk.h"
#include "project/reprocess.h"
#include "project/schema_dry_run.h"
#include "project/trace_request.h"
#include "project/verify.h"
#include "serve/dead_letter_desk.h"
#include "serve/job_metrics.h"
#include "serve/pipeline_view.h"
#include "serve/topic_schemas.h"

namespace millrace::serve {

namespace {

int64_t NowMs() {
  return env::Clock::System()->WallMicros() / 1000;
}

class ProjectBackend : public Backend {
 public:
  ProjectBackend(project::Runtime& runtime, const project::ModelWatch* watch)
      : runtime_(runtime), watch_(watch) {}

  Status Start() {
    MR_ASSIGN_OR_RETURN(schemas_, TopicSchemas::Make(runtime_.project(), runtime_.Services()));
    MR_ASSIGN_OR_RETURN(dashboards_, project::LoadDashboards(runtime_.project().directory()));
    desk_ = std::make_unique<DeadLetterDesk>(
        runtime_.log(), runtime_.dead_letters(), runtime_.warehouse(),
        [this](const std::string& topic) { return schemas_->Find(topic); });
    if (Status finished = desk_->FinishBegun(); !finished.ok()) {
      diag::Error("dead letters: replays wait to be finished: {}", finished.message());
    }
    metrics_ = std::make_shared<JobMetrics>(runtime_);
    sampler_ = std::thread([this] { SampleEverySecond(); });
    return Status::Ok();
  }

  ~ProjectBackend() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (sampler_.joinable()) sampler_.join();
  }

  log::Log& log() override { return runtime_.log(); }

  std::shared_ptr<const TopicSchema> TopicSchemaFor(const std::string& topic) override {
    return schemas_->Find(topic);
  }

  void WriteDeadLetters(std::span<const model::DeadLetter> letters,
                        std::function<void(const Status&)> done) override {
    std::vector<std::string> texts;
    for (const model::DeadLetter& letter : letters) texts.push_back(letter.ToJson());
    std::vector<log::NewRecord> records(texts.size());
    for (size_t i = 0; i < texts.size(); i++) records[i].value = texts[i];
    runtime_.log().Append(
        job::kDeadLetterTopic, 0, records, {},
        [done = std::move(done)](const log::AppendResult& result) { done(result.status); });
  }

  Result<std::string> PipelineJson() override {
    return serve::PipelineJson(runtime_, rates_, NowMs(),
                               watch_ != nullptr ? watch_->LastReportJson() : "null");
  }
  Result<std::string> JobJson(const std::string& name) override {
    return serve::JobJson(runtime_, rates_, name);
  }
  Result<std::string> DashboardsJson() override { return project::DashboardListJson(dashboards_); }
  Result<std::string> DashboardJson(const std::string& name) override {
    MR_ASSIGN_OR_RETURN(const project::Dashboard* dashboard, FindDashboard(name));
    return project::DashboardJson(*dashboard, runtime_.warehouse());
  }
  Result<std::string> DashboardDataJson(const std::string& name,
                                        const std::map<std::string, std::string>& params) override {
    MR_ASSIGN_OR_RETURN(const project::Dashboard* dashboard, FindDashboard(name));
    return project::DashboardDataJson(*dashboard, runtime_.warehouse(), params, NowMs());
  }
  Result<std::string> SqlJson(const std::string& sql) override {
    duck::QueryOptions options;
    options.max_rows = 100'000;
    // Results belong to the jobs: a request may read them, not change them under their feet.
    options.read_only = true;
    MR_ASSIGN_OR_RETURN(duck::QueryResult result, runtime_.warehouse().Query(sql, options));
    return result.ToJson();
  }
  Result<std::string> DeadLettersJson(int64_t limit) override { return desk_->NewestJson(limit); }
  Result<std::string> DeadLetterJson(const std::string& id) override {
    return desk_->LetterJson(id);
  }
  Result<std::string> ActOnDeadLetters(std::string_view request_json) override {
    return desk_->Act(request_json);
  }

  Result<std::string> ChangesJson(const std::string& job) override {
    MR_ASSIGN_OR_RETURN(auto text, project::ReadTextNow(runtime_));
    MR_ASSIGN_OR_RETURN(auto changes, project::PlanChanges(runtime_, *text, job));
    return project::ChangesJson(changes);
  }
  Result<std::string> StartReprocessing(const std::string& job, std::string_view json) override {
    MR_ASSIGN_OR_RETURN(auto request, project::ParseReprocessRequest(job, json));
    MR_RETURN_IF_ERROR(reprocessor_.Start(request));
    if (request.action == project::ReprocessRequest::Action::kRetire) {
      return std::string(R"({"retired":true})");
    }
    return ReprocessingJson(job);
  }
  Result<std::string> ReprocessingJson(const std::string& job) override {
    MR_ASSIGN_OR_RETURN(project::ReprocessProgress progress, reprocessor_.Progress(job));
    return progress.ToJson();
  }
  Result<std::string> StartModels(std::string_view json) override { return models_.Start(json); }
  std::string ModelRunsJson() override { return models_.RunsJson(); }
  Result<std::string> ModelEventsJson(int64_t run, size_t from) override {
    return models_.EventsJson(run, from);
  }
  Result<std::string> VerifyJson(const std::string& job, int64_t lines_max) override {
    MR_ASSIGN_OR_RETURN(project::VerifyReport report,
                        project::VerifyJob(runtime_, job, static_cast<size_t>(lines_max)));
    return fmt::format(R"({{"text":{},"equal":{},"report":{}}})", JsonQuote(report.ToText()),
                       report.equal(), report.ToJson());
  }

  Result<std::string> LineageJson(const std::string& of, const std::string& direction) override {
    MR_ASSIGN_OR_RETURN(auto way, project::ParseLineageDirection(direction));
    MR_ASSIGN_OR_RETURN(project::Lineage whole, project::LineageOf(runtime_.project()));
    if (of.empty()) return project::LineageJson(whole);
    MR_ASSIGN_OR_RETURN(project::LineageWays ways, project::WaysOf(whole, of, way));
    return project::LineageJson(ways);
  }
  Result<std::string> TraceJson(const project::TraceRequest& request) override {
    std::lock_guard<std::mutex> one_at_a_time(tracing_);  // each may hold whole topics
    const auto log = project::NewTraceLog(runtime_.log());
    MR_ASSIGN_OR_RETURN(const auto traces,
                        project::TracesOf(runtime_.project(), request, *log,
                                          [this](const std::string& sql) { return SqlJson(sql); }));
    return project::TracesJson(traces);
  }

  registry::Registry* Schemas() override { return &runtime_.schemas(); }
  Result<std::string> SchemaDryRunJson(const std::string& subject, const registry::Schema& schema,
                                       int64_t records_max) override {
    MR_ASSIGN_OR_RETURN(auto run, project::DryRunSchema(runtime_, subject, schema, records_max));
    return run.ToJson();
  }
  registry::RecordCheck* Strict() override { return &runtime_.record_check(); }

  Status Ready() override {
    for (const job::JobStatus& job : runtime_.JobStatuses()) {
      if (job.state == job::JobState::kStarting) {
        return Status(Code::kUnavailable, fmt::format("job \"{}\" is starting", job.name));
      }
      if (job.state == job::JobState::kFailed) {
        return Status(Code::kUnavailable,
                      fmt::format("job \"{}\" failed: {}", job.name, job.error.message()));
      }
    }
    return Status::Ok();
  }

  std::shared_ptr<prometheus::Collectable> Metrics() override { return metrics_; }

  std::function<void()> Subscribe(std::function<void(const Change&)> on_change) override {
    int number = runtime_.Subscribe([on_change = std::move(on_change)](const std::string& table) {
      Change change;
      change.tables.push_back(table);
      on_change(change);
    });
    return [this, number] { runtime_.Unsubscribe(number); };
  }

 private:
  Result<const project::Dashboard*> FindDashboard(const std::string& name) const {
    std::vector<std::string> names;
    for (const project::Dashboard& dashboard : dashboards_) {
      if (dashboard.name == name) return &dashboard;
      names.push_back(dashboard.name);
    }
    return Status(Code::kNotFound, fmt::format("there is no dashboard \"{}\"", name))
        .WithHint(DidYouMean(name, names));
  }

  void SampleEverySecond() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stop_) {
      lock.unlock();
      rates_.Sample(NowMs(), PipelineCounters(runtime_));
      (void)runtime_.dead_letters().Follow();  // for the metrics; tried again in a second
      lock.lock();
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_; });
    }
  }

  project::Runtime& runtime_;
  const project::ModelWatch* watch_;  // null: nobody watches the models
  project::Reprocessor reprocessor_{runtime_};
  project::ModelDesk models_{runtime_};
  std::unique_ptr<TopicSchemas> schemas_;
  std::unique_ptr<DeadLetterDesk> desk_;
  std::vector<project::Dashboard> dashboards_;
  std::shared_ptr<prometheus::Collectable> metrics_;
  RateSampler rates_;
  std::mutex tracing_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread sampler_;
};

}  // namespace

Result<std::unique_ptr<Backend>> NewProjectBackend(project::Runtime& runtime,
                                                   const project::ModelWatch* models) {
  auto backend = std::make_unique<ProjectBackend>(runtime, models);
  MR_RETURN_IF_ERROR(backend->Start());
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace millrace::serve
