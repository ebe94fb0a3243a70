#include "serve/pipeline_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "base/units.h"
#include "base/version.h"
#include "model/masking.h"
#include "serve/drift_view.h"
#include "serve/lookup_view.h"

namespace millrace::serve {

namespace {

struct Node {
  std::string id;
  std::string kind;
  std::string name;
  std::string state = "running";
  int64_t rows_in = 0;
  int64_t rows_out = 0;
  double rate_in = 0;
  double rate_out = 0;
  int64_t lag_rows = 0;
  model::EventTime frontier = model::kTimeMin;
  Status error;
  int64_t error_since_ms = 0;
};

struct Edge {
  std::string from;
  std::string to;
  double rate = 0;
};

std::string TimeJson(model::EventTime frontier) {
  bool known = frontier > model::kTimeMin && frontier < model::kTimeMax;
  return known ? std::to_string(frontier / 1000 - 1) : "null";
}

std::string NodeJson(const Node& node, int64_t now_ms) {
  std::string watermark = TimeJson(node.frontier);
  std::string delay =
      watermark == "null"
          ? "null"
          : std::to_string(std::max<int64_t>(0, now_ms - (node.frontier / 1000 - 1)));
  std::string error = "null";
  if (!node.error.ok()) {
    error = fmt::format(
        "{{\"message\":{},\"hint\":{},\"since_ms\":{}}}", JsonQuote(node.error.message()),
        node.error.hint().empty() ? "null" : JsonQuote(node.error.hint()), node.error_since_ms);
  }
  return fmt::format(
      "{{\"id\":{},\"kind\":\"{}\",\"name\":{},\"state\":\"{}\",\"rows_in\":{},\"rows_out\":{},"
      "\"rate_in\":{:.1f},\"rate_out\":{:.1f},\"lag_rows\":{},\"watermark_ms\":{},"
      "\"watermark_delay_ms\":{},\"error\":{}}}",
      JsonQuote(node.id), node.kind, JsonQuote(node.name), node.state, node.rows_in, node.rows_out,
      node.rate_in, node.rate_out, node.lag_rows, watermark, delay, error);
}

// The page knows fewer words than a job has states.
std::string PageState(const job::JobStatus& job) {
  switch (job.state) {
    case job::JobState::kStarting:
    case job::JobState::kRunning:
      return "running";
    case job::JobState::kCatchingUp:
      return "catching_up";
    case job::JobState::kIdle:
      return "idle";
    case job::JobState::kFailing:
    case job::JobState::kFailed:
      return "failing";
    default:
      return "stopped";
  }
}

std::string Summary(const std::vector<job::JobStatus>& jobs, size_t stages, int64_t now_ms,
                    bool& ok) {
  std::vector<std::string> failing;
  std::vector<std::string> behind;
  int64_t oldest_ms = -1;
  for (const job::JobStatus& job : jobs) {
    if (!job.error.ok()) failing.push_back("\"" + job.name + "\"");
    if (job.state == job::JobState::kCatchingUp) behind.push_back("\"" + job.name + "\"");
    if (job.last_commit_ms > 0) oldest_ms = std::max(oldest_ms, now_ms - job.last_commit_ms);
  }
  ok = failing.empty();
  if (!failing.empty()) {
    return fmt::format("{} of {} jobs {} failing: {}.", failing.size(), jobs.size(),
                       failing.size() == 1 ? "is" : "are", Join(failing, ", "));
  }
  if (jobs.empty()) return "No job runs: the project has no INSERT INTO statement.";
  if (!behind.empty()) return fmt::format("Catching up: {}.", Join(behind, ", "));
  std::string text = fmt::format("All {} stages are up to date", stages);
  if (oldest_ms >= 0)
    text += fmt::format("; the oldest result is {} old", FormatDurationMicros(oldest_ms * 1000));
  return text + ".";
}

template <typename T>
std::string NumbersJson(const std::vector<T>& numbers) {
  return fmt::format("[{}]", fmt::join(numbers, ","));
}

}  // namespace

std::map<std::string, int64_t> PipelineCounters(project::Runtime& runtime) {
  std::map<std::string, int64_t> counters;
  for (const log::TopicInfo& topic : runtime.log().Topics()) {
    int64_t total = 0;
    for (int p = 0; p < topic.config.partitions; p++) {
      auto info = runtime.log().DescribePartition(topic.name, p);
      if (info.ok()) total += info->end_offset;
    }
    counters["topic:" + topic.name] = total;
  }
  for (const job::JobStatus& job : runtime.JobStatuses()) {
    counters["job:" + job.name + ":in"] = job.rows_in;
    counters["job:" + job.name + ":out"] = job.rows_out;
    for (const job::SourceStatus& source : job.sources) {
      counters["job:" + job.name + ":from:" + source.table] = source.rows_in;
    }
  }
  return counters;
}

std::string PipelineJson(project::Runtime& runtime, const RateSampler& rates, int64_t now_ms,
                         const std::string& models) {
  std::vector<job::JobStatus> jobs = runtime.JobStatuses();
  std::map<std::string, int64_t> counters = PipelineCounters(runtime);
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::set<std::string> known;
  auto add = [&](Node node) {
    if (known.insert(node.id).second) nodes.push_back(std::move(node));
  };
  Node collector;
  collector.id = "collector";
  collector.kind = "collector";
  collector.name = "HTTP events";
  bool any_topic = false;
  for (const job::JobStatus& job : jobs) {
    for (const job::SourceStatus& source : job.sources) {
      Node node;
      if (source.topic.empty()) {
        node.id = "source:" + source.table;
        node.kind = "source";
        node.name = source.table;
        node.rows_in = node.rows_out = source.rows_in;
        node.rate_in = node.rate_out = rates.Rate("job:" + job.name + ":from:" + source.table);
      } else {
        any_topic = true;
        node.id = "topic:" + source.topic;
        node.kind = "topic";
        node.name = source.topic;
        node.rows_in = node.rows_out = counters["topic:" + source.topic];
        node.rate_in = node.rate_out = rates.Rate("topic:" + source.topic);
        if (!known.count(node.id)) {
          collector.rows_out += node.rows_in;
          collector.rate_out += node.rate_in;
          edges.push_back({collector.id, node.id, node.rate_in});
        }
      }
      node.state = node.rate_in > 0 ? "running" : "idle";
      edges.push_back(
          {node.id, "job:" + job.name, rates.Rate("job:" + job.name + ":from:" + source.table)});
      add(std::move(node));
    }
    Node node;
    node.id = "job:" + job.name;
    node.kind = "job";
    node.name = job.name;
    node.state = PageState(job);
    node.rows_in = job.rows_in;
    node.rows_out = job.rows_out;
    node.rate_in = rates.Rate("job:" + job.name + ":in");
    node.rate_out = rates.Rate("job:" + job.name + ":out");
    node.lag_rows = job.lag_rows;
    node.frontier = job.frontier;
    node.error = job.error;
    node.error_since_ms = job.error_since_ms;
    add(node);
    Node sink;
    sink.id = "table:" + job.sink_table;
    sink.kind = "table";
    sink.name = job.sink_table;
    sink.rows_in = job.rows_out;
    sink.rate_in = node.rate_out;
    sink.state = node.state;
    edges.push_back({node.id, sink.id, node.rate_out});
    add(std::move(sink));
  }
  if (any_topic) {
    collector.rows_in = collector.rows_out;
    collector.rate_in = collector.rate_out;
    collector.state = collector.rate_in > 0 ? "running" : "idle";
    add(std::move(collector));
  }
  bool ok = true;
  std::string text = Summary(jobs, nodes.size(), now_ms, ok);
  std::vector<std::string> node_texts;
  for (const Node& node : nodes) node_texts.push_back(NodeJson(node, now_ms));
  std::vector<std::string> edge_texts;
  for (const Edge& edge : edges) {
    edge_texts.push_back(fmt::format("{{\"from\":{},\"to\":{},\"rate\":{:.1f}}}",
                                     JsonQuote(edge.from), JsonQuote(edge.to), edge.rate));
  }
  return fmt::format(
      "{{\"time_ms\":{},\"version\":\"{}\",\"project\":{},\"summary\":{{\"ok\":{},\"text\":{}}},"
      "\"nodes\":[{}],\"edges\":[{}],\"models\":{}}}",
      now_ms, kVersion, JsonQuote(runtime.project().config().name), ok ? "true" : "false",
      JsonQuote(text), Join(node_texts, ","), Join(edge_texts, ","), models);
}

Result<std::string> JobJson(project::Runtime& runtime, const RateSampler& rates,
                            const std::string& name) {
  std::shared_ptr<job::Job> job = runtime.FindJob(name);
  if (!job) {
    std::vector<std::string> names;
    for (const job::JobStatus& status : runtime.JobStatuses()) names.push_back(status.name);
    return Status(Code::kNotFound, fmt::format("there is no job \"{}\"", name))
        .WithHint(DidYouMean(name, names));
  }
  job::JobStatus s = job->status();
  RateSampler::History in = rates.HistoryOf("job:" + name + ":in");
  RateSampler::History out = rates.HistoryOf("job:" + name + ":out");
  std::string error = "null";
  if (!s.error.ok()) {
    error =
        fmt::format("{{\"message\":{},\"hint\":{},\"since_ms\":{}}}", JsonQuote(s.error.message()),
                    s.error.hint().empty() ? "null" : JsonQuote(s.error.hint()), s.error_since_ms);
  }
  // What went into results or waits for its window; aggregation makes many rows one.
  int64_t accounted = s.rows_filtered + s.rows_late + s.rows_dead_lettered;
  return fmt::format(
      "{{\"name\":{},\"state\":\"{}\",\"sql\":{},\"plan\":{},\"guarantee\":\"{}\",\"epoch\":{},"
      "\"checkpoint_epoch\":{},\"restarts\":0,\"rate_in\":{:.1f},\"rate_out\":{:.1f},\"lag_rows\":{"
      "},"
      "\"watermark_ms\":{},\"latency_ms\":{{\"p50\":{:.2f},\"p99\":{:.2f}}},\"state_bytes\":{},"
      "\"state_rows\":{},\"state_freed_by\":{},\"history\":{{\"time_ms\":{},\"rate_in\":{},\"rate_"
      "out\":{}}},"
      "\"ledger\":{{\"in\":{},\"used\":{},\"out\":{},\"filtered\":{},\"late\":{},\"dead_lettered\":"
      "{},\"rejected\":{},"
      "\"in_state\":{},\"missing\":{},\"gap\":{}}},\"lookups\":{},\"drift\":{},"
      "\"error\":{}}}",
      JsonQuote(name), PageState(s), JsonQuote(model::MaskSql(job->compiled().sql)),
      JsonQuote(job->explain()), s.guarantee, s.epoch, s.checkpoint_epoch,
      rates.Rate("job:" + name + ":in"), rates.Rate("job:" + name + ":out"), s.lag_rows,
      TimeJson(s.frontier), s.latency_p50_ms, s.latency_p99_ms, s.state_bytes, s.state_rows,
      s.state_freed_by.empty() ? "null" : JsonQuote(s.state_freed_by), NumbersJson(in.time_ms),
      NumbersJson(in.rates), NumbersJson(out.rates), s.rows_in, s.rows_in - accounted, s.rows_out,
      s.rows_filtered, s.rows_late, s.rows_dead_lettered, s.rows_rejected, s.state_rows,
      s.rows_missing, s.ledger_gap.empty() ? "null" : JsonQuote(s.ledger_gap),
      LookupsJson(job->lookups()), DriftJson(job->drift()), error);
}

}  // namespace millrace::serve
