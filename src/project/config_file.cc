#include "project/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "project/alert_settings.h"
#include "project/batch_settings.h"
#include "project/kafka_settings.h"
#include "project/model_watch_settings.h"
#include "project/open_lineage_settings.h"
#include "project/yaml_reader.h"

namespace millrace::project {

namespace {

using Reader = YamlReader;

void ReadTarget(Reader& reader, const YAML::Node& node, const std::string& name, Target& target) {
  if (name == "dev") target.embedded = {"kafka", "jdbc"};
  reader.Map(node, "target \"" + name + "\"",
             {{"embedded",
               [&](const YAML::Node& list) {
                 target.embedded.clear();
                 for (const auto& entry : list) {
                   std::string connector;
                   reader.Text(entry, connector);
                   if (connector != "kafka" && connector != "jdbc") {
                     reader.Fault(entry, Code::kBadOption,
                                  fmt::format("connector \"{}\" has no embedded form", connector),
                                  "there is: \"kafka\" (the log), \"jdbc\" (the warehouse)");
                   }
                   target.embedded.push_back(connector);
                 }
               }},
              {"options", [&](const YAML::Node& connectors) {
                 for (const auto& connector : connectors) {
                   for (const auto& option : connector.second) {
                     reader.Text(option.second, target.options[connector.first.as<std::string>()]
                                                              [option.first.as<std::string>()]);
                   }
                 }
               }}});
}

// `parquet: true`, or `parquet: {keep: 400 d, at: "s3://bucket/prefix"}`.
void ReadHistory(Reader& reader, const YAML::Node& node, TopicSettings& topic) {
  topic.history.on = true;
  if (node.IsScalar()) {
    reader.Flag(node, topic.history.on);
  } else {
    reader.Map(
        node, "parquet",
        {{"keep",
          [&](const YAML::Node& n) { reader.DurationMs(n, topic.history.keep_ms.emplace(0)); }},
         {"at", [&](const YAML::Node& n) {  // project/history/history_storage.h reads it
            std::string at;
            reader.Text(n, at);
            if (at.starts_with("s3://")) return;
            reader.Fault(n, Code::kBadOption, "'at' is a prefix of an S3 store",
                         "write \"s3://bucket/prefix\"; without it, files lie in "
                         ".millrace/history");
          }}});
  }
  if (topic.history.on && topic.config.cleanup.compact) {
    reader.Fault(node, Code::kBadOption, "a compacted topic cannot be kept as Parquet too",
                 "compaction takes records out of closed segments; choose one of them");
  }
}

void ReadTopic(Reader& reader, const YAML::Node& node, const std::string& name,
               TopicSettings& topic) {
  reader.Map(
      node, "topic \"" + name + "\"",
      {{"partitions",
        [&](const YAML::Node& n) { reader.Number(n, topic.config.partitions, 1, 10'000); }},
       {"retention", [&](const YAML::Node& n) { reader.DurationMs(n, topic.config.retention_ms); }},
       {"retention-bytes",
        [&](const YAML::Node& n) { reader.Bytes(n, topic.config.retention_bytes); }},
       {"segment-bytes", [&](const YAML::Node& n) { reader.Bytes(n, topic.config.segment_bytes); }},
       {"cleanup",
        [&](const YAML::Node& n) {
          std::string text;
          reader.Text(n, text);
          auto policy = log::ParseCleanupPolicy(text);
          if (!policy.ok()) {
            reader.Fault(n, Code::kBadOption, policy.status().message(), policy.status().hint());
          } else {
            topic.config.cleanup = *policy;
          }
        }},
       {"key", [&](const YAML::Node& n) { reader.Text(n, topic.key); }},
       {"strict", [&](const YAML::Node& n) { reader.Flag(n, topic.strict); }},
       // Below, when the others are known.
       {"parquet", [](const YAML::Node&) {}}});
  if (node.IsMap() && node["parquet"]) ReadHistory(reader, node["parquet"], topic);
}

// `name: expression`, or `name: {check: expression, on-violation: dead letter}`.
void ReadExpectations(Reader& reader, const YAML::Node& node, const std::string& path,
                      std::vector<sql::CheckConstraint>& checks) {
  using sql::ViolationAction;
  static const std::vector<std::pair<std::string, ViolationAction>> kActions = {
      {"dead letter", ViolationAction::kDeadLetter},
      {"fail", ViolationAction::kFail},
      {"drop", ViolationAction::kDrop},
      {"warn", ViolationAction::kWarn}};
  if (!node.IsMap()) {
    reader.Fault(node, Code::kBadOption, "expectations are a map of names and conditions", "");
    return;
  }
  for (const auto& entry : node) {
    sql::CheckConstraint check;
    check.name = entry.first.Scalar();
    auto expression = [&](const YAML::Node& text) {
      reader.Text(text, check.expression.text);
      YAML::Mark mark = text.Mark();
      check.expression.span = {path, mark.line + 1, mark.column + 1,
                               static_cast<int>(check.expression.text.size())};
    };
    auto action = [&](const YAML::Node& text) {
      std::string word;
      reader.Text(text, word);
      std::vector<std::string> words;
      bool known = false;
      for (const auto& [name, value] : kActions) {
        words.push_back(name);
        if (!EqualsIgnoreCase(name, word)) continue;
        check.action = value;
        known = true;
      }
      if (!known) {
        reader.Fault(text, Code::kBadOption, fmt::format("there is no action \"{}\"", word),
                     DidYouMean(word, words));
      }
    };
    if (entry.second.IsScalar()) {
      expression(entry.second);
    } else {
      reader.Map(entry.second, "expectation \"" + check.name + "\"",
                 {{"check", expression}, {"on-violation", action}});
    }
    if (check.expression.text.empty()) {
      reader.Fault(entry.first, Code::kBadOption,
                   fmt::format("expectation \"{}\" has no condition", check.name),
                   "write a condition over the table's columns, e.g. quantity > 0");
      continue;
    }
    check.span = check.expression.span;
    checks.push_back(std::move(check));
  }
}

void ReadServe(Reader& reader, const YAML::Node& node, ProjectConfig& config) {
  reader.Map(node, "serve",
             {{"http",
               [&](const YAML::Node& n) {
                 std::string address;
                 reader.Text(n, address);
                 size_t colon = address.rfind(':');
                 std::string port =
                     colon == std::string::npos ? address : address.substr(colon + 1);
                 if (colon != std::string::npos) config.http_host = address.substr(0, colon);
                 reader.Number(YAML::Load(port), config.http_port, 0, 65535);
               }},
              {"body-max", [&](const YAML::Node& n) { reader.Bytes(n, config.body_bytes_max); }}});
}

}  // namespace

Status ReadConfigFile(const std::string& path, ProjectConfig& config, std::vector<Status>& faults) {
  try {
    YAML::Node root = YAML::LoadFile(path);
    Reader reader(path, faults);
    reader.Map(
        root, "millrace.yml",
        {{"name", [&](const YAML::Node& n) { reader.Text(n, config.name); }},
         {"target", [&](const YAML::Node& n) { reader.Text(n, config.target); }},
         {"targets",
          [&](const YAML::Node& targets) {
            for (const auto& entry : targets) {
              std::string name = entry.first.as<std::string>();
              ReadTarget(reader, entry.second, name, config.targets[name]);
            }
          }},
         {"topics",
          [&](const YAML::Node& topics) {
            for (const auto& entry : topics) {
              std::string name = entry.first.as<std::string>();
              ReadTopic(reader, entry.second, name, config.topics[name]);
            }
          }},
         {"expectations",
          [&](const YAML::Node& tables) {
            for (const auto& entry : tables) {
              std::string name = entry.first.as<std::string>();
              ReadExpectations(reader, entry.second, path, config.expectations[name]);
            }
          }},
         {"serve", [&](const YAML::Node& n) { ReadServe(reader, n, config); }},
         {"lineage",
          [&](const YAML::Node& n) {
            OpenLineageSettings checked;  // read again by who makes the events
            ReadLineageSettings(reader, n, checked);
          }},
         {"alerts",
          [&](const YAML::Node& n) {
            AlertSettings checked;  // read again by who tells them
            ReadAlertSettings(reader, n, checked);
          }},
         {"batch",
          [&](const YAML::Node& n) {
            batch::Settings checked;  // read again by who runs batches
            ReadBatchSection(reader, n, checked);
          }},
         {"models",
          [&](const YAML::Node& n) {
            ModelWatchSettings checked;  // read again by who watches them
            ReadModelWatchSettings(reader, n, checked);
          }},
         {"kafka", [&](const YAML::Node& n) { ReadKafkaSettings(reader, n, config.kafka); }},
         {"warehouse", [&](const YAML::Node& n) {
            reader.Map(
                n, "warehouse",
                {{"memory-limit",
                  [&](const YAML::Node& m) { reader.Bytes(m, config.warehouse_memory_bytes); }},
                 {"threads", [&](const YAML::Node& m) {
                    reader.Number(m, config.warehouse_threads, 1, 256);
                  }}});
          }}});
    return Status::Ok();
  } catch (const YAML::Exception& e) {
    return Status(Code::kSyntax, "not valid YAML: " + e.msg)
        .At({path, e.mark.line + 1, e.mark.column + 1, 1});
  }
}

}  // namespace millrace::project
