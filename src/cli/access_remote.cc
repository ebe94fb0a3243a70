// Access over the HTTP API of a running `millrace dev`.
#include <fmt/format.h>
#include <simdjson.h>

#include "base/base64.h"
#include "base/strings.h"
#include "cli/access.h"
#include "cli/client.h"
#include "project/dead_letter_audit.h"

namespace millrace::cli {

namespace {

using simdjson::dom::array;
using simdjson::dom::element;

Status BadAnswer(const std::string& target) {
  return Status(Code::kCorruption, fmt::format("the answer to \"{}\" is not as expected", target))
      .WithHint("is the running `millrace dev` of the same version?");
}

bool ReadTopic(element json, TopicDescription& topic) {
  std::string_view name;
  array partitions;
  if (json["name"].get_string().get(name) ||
      json["retention_ms"].get_int64().get(topic.retention_ms) ||
      json["partitions"].get_array().get(partitions)) {
    return false;
  }
  topic.name = std::string(name);
  for (element entry : partitions) {
    TopicPartition& to = topic.partitions.emplace_back();
    int64_t number = 0;
    if (entry["partition"].get_int64().get(number) ||
        entry["start_offset"].get_int64().get(to.start_offset) ||
        entry["end_offset"].get_int64().get(to.end_offset) ||
        entry["size_bytes"].get_int64().get(to.size_bytes)) {
      return false;
    }
    to.partition = static_cast<int>(number);
  }
  return true;
}

std::optional<std::string> ReadBytes(element record, const char* name, const char* name_base64) {
  std::string_view text;
  if (!record[name].get_string().get(text)) return std::string(text);
  if (!record[name_base64].get_string().get(text)) return DecodeBase64(text);
  return std::nullopt;
}

class RemoteAccess : public Access {
 public:
  explicit RemoteAccess(HttpClient client) : client_(std::move(client)) {}

  Result<std::string> Sql(const std::string& sql) override {
    return client_.Post("/api/sql", "{\"sql\":" + JsonQuote(sql) + "}");
  }

  Result<std::vector<TopicDescription>> Topics() override {
    MR_ASSIGN_OR_RETURN(std::string body, client_.Get("/api/topics"));
    array list;
    if (parser_.parse(body).get_array().get(list)) return BadAnswer("/api/topics");
    std::vector<TopicDescription> topics;
    for (element entry : list) {
      if (!ReadTopic(entry, topics.emplace_back())) return BadAnswer("/api/topics");
    }
    return topics;
  }

  Status CreateTopic(const std::string& topic, int partitions,
                     std::optional<int64_t> retention_ms) override {
    std::string retention = retention_ms ? fmt::format(",\"retention_ms\":{}", *retention_ms) : "";
    return client_
        .Post("/api/topics/" + PercentEncode(topic),
              fmt::format("{{\"partitions\":{}{}}}", partitions, retention))
        .status();
  }

  Status DeleteTopic(const std::string& topic) override {
    MR_RETURN_IF_ERROR(Topic(topic).status());
    return Status(Code::kFailedPrecondition, "topics cannot be deleted while `millrace dev` runs")
        .WithHint("stop it first");
  }

  Result<std::vector<StoredRecord>> Read(const std::string& topic, int partition, int64_t offset,
                                         int64_t limit) override {
    std::string target = fmt::format("/api/topics/{}/records?partition={}&offset={}&limit={}",
                                     PercentEncode(topic), partition, offset, limit);
    MR_ASSIGN_OR_RETURN(std::string body, client_.Get(target));
    array list;
    if (parser_.parse(body).get_array().get(list)) return BadAnswer(target);
    std::vector<StoredRecord> records;
    for (element entry : list) {
      StoredRecord& record = records.emplace_back();
      record.partition = partition;
      if (entry["offset"].get_int64().get(record.offset) ||
          entry["timestamp_ms"].get_int64().get(record.timestamp_ms)) {
        return BadAnswer(target);
      }
      record.key = ReadBytes(entry, "key", "key_base64");
      record.value = ReadBytes(entry, "value", "value_base64");
    }
    return records;
  }

  Status Write(const std::string& topic, const std::vector<OutgoingRecord>& records) override {
    std::string body = "{\"records\":[";
    for (size_t i = 0; i < records.size(); i++) {
      const OutgoingRecord& record = records[i];
      if (!IsValidUtf8(record.value) || (record.key && !IsValidUtf8(*record.key))) {
        return Status(Code::kUnsupported,
                      "a record that is not UTF-8 cannot be sent to a running `millrace dev`")
            .WithHint("stop it: then records are written to the log directly");
      }
      body += fmt::format("{}{{\"key\":{},\"value\":{}", i ? "," : "",
                          record.key ? JsonQuote(*record.key) : "null", JsonQuote(record.value));
      if (record.partition >= 0) body += fmt::format(",\"partition\":{}", record.partition);
      body += "}";
    }
    return client_.Post("/api/topics/" + PercentEncode(topic) + "/records", body + "]}").status();
  }

  Result<EventsResult> WriteEvents(const std::string& topic,
                                   const std::vector<std::string>& lines) override {
    MR_ASSIGN_OR_RETURN(HttpReply reply, client_.Send("POST", "/v1/events/" + PercentEncode(topic),
                                                      Join(lines, "\n")));
    return ParseEventsAnswer(reply.status, reply.body);
  }

  Result<std::string> DeadLetter(const std::string& id) override {
    size_t slash = id.find('/');
    if (slash == std::string::npos) return project::LetterId::Parse(id).status();
    return client_.Get("/api/dead-letters/" + PercentEncode(id.substr(0, slash)) + "/" +
                       PercentEncode(id.substr(slash + 1)));
  }

  Result<std::string> ActOnDeadLetters(const std::string& request_json) override {
    return client_.Post("/api/dead-letters/actions", request_json);
  }

  Result<std::string> Changes(const std::string& job) override {
    return client_.Get("/api/changes?job=" + PercentEncode(job));
  }

  Result<std::string> StartReprocessing(const std::string& job,
                                        const std::string& request_json) override {
    return client_.Post("/api/jobs/" + PercentEncode(job) + "/reprocess", request_json);
  }

  Result<std::string> Reprocessing(const std::string& job) override {
    return client_.Get("/api/jobs/" + PercentEncode(job) + "/reprocess");
  }

  Result<std::string> Verify(const std::string& job, int64_t lines_max) override {
    HttpClient patient = client_;
    patient.set_timeout_ms(kVerifyTimeoutMs);
    return patient.Post("/api/jobs/" + PercentEncode(job) + "/verify",
                        fmt::format("{{\"limit\":{}}}", lines_max));
  }

 private:
  static constexpr int64_t kVerifyTimeoutMs = 6LL * 3'600 * 1'000;  // it reads all of the input

  HttpClient client_;
  simdjson::dom::parser parser_;
};

}  // namespace

Result<std::unique_ptr<Access>> OpenRemote(const std::string& url) {
  MR_ASSIGN_OR_RETURN(HttpClient client, HttpClient::ForUrl(url));
  return std::unique_ptr<Access>(new RemoteAccess(std::move(client)));
}

}  // namespace millrace::cli
