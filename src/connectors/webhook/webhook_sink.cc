// Sink to an HTTP endpoint.
//
// Commit(E): (1) sends the epoch's rows, 'batch.max-rows' at a time, as request n = 0, 1, …; (2)
// notes E and what was rejected (kafka/log_topic.h). After a crash before (2) all of E is sent
// again: the same rows in the same requests, each with its key "<job>.<S>-<E>-<n>". S is when the
// sink first began, in seconds: a job that is started over counts its epochs anew, and must not
// seem to repeat itself.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <simdjson.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "connectors/http/http_client.h"
#include "connectors/kafka/log_topic.h"
#include "connectors/rejections.h"
#include "connectors/sink_checks.h"
#include "connectors/webhook/webhook.h"
#include "env/clock.h"
#include "format/encoder.h"
#include "model/masking.h"

namespace millrace::connectors::webhook {

namespace {

// Answers that say nothing about the rows: who we are, where the endpoint is, that it is busy.
bool IsAboutEndpoint(int status) {
  static constexpr int kOthers[] = {401, 403, 404, 405, 407, 408, 425, 429};
  return status < 200 || (status >= 300 && status < 400) || status >= 500 ||
         std::find(std::begin(kOthers), std::end(kOthers), status) != std::end(kOthers);
}

class WebhookSink : public Sink {
 public:
  WebhookSink(const TableContext& table, http::HttpSettings settings,
              std::unique_ptr<format::Encoder> encoder)
      : table_(table),
        keeps_rejected_(KeepsRejected(table)),
        secret_(table.options.GetString("secret")),
        batch_rows_(
            static_cast<size_t>(std::max<int64_t>(1, table.options.GetInt("batch.max-rows")))),
        url_(model::MaskUrls(settings.url)),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        note_(table, "webhook"),
        client_(std::move(settings)),
        encoder_(std::move(encoder)) {}

  Status Open() override {
    MR_ASSIGN_OR_RETURN(auto text, note_.Read());
    if (!text) {
      started_ = clock_.WallMicros() / 1'000'000;
      return WriteNote(0, Rejections());
    }
    simdjson::dom::parser parser;
    simdjson::dom::element note;
    std::string_view rejected;
    if (parser.parse(*text).get(note) || note["epoch"].get(committed_) ||
        note["started"].get(started_) || note["rejected"].get(rejected)) {
      return Status(Code::kCorruption, "the note of a webhook sink is damaged: " + *text);
    }
    MR_ASSIGN_OR_RETURN(rejected_, RejectionsFromJson(std::string(rejected)));
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }
  const Rejections& Rejected() const override { return rejected_; }

  Status Write(const SinkBatch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.rows->size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      if (weight < 0) {
        return TakesNewRowsOnly(table_)
            .WithDetail("a request that was answered cannot be taken back")
            .WithHint("write updating results into a table with a PRIMARY KEY, or send windows");
      }
      std::string text;
      encoder_->EncodeRow(*batch.rows, row, text);
      for (int32_t copy = 0; copy < weight; copy++) rows_.push_back(text);
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch > committed_) {
      for (; sent_ < rows_.size(); sent_ = std::min(sent_ + batch_rows_, rows_.size())) {
        const size_t before = refused_.size();
        Status status = SendFrom(sent_, epoch);
        if (status.ok()) continue;
        refused_.resize(before);
        return status;
      }
      Rejections rejected;
      rejected.rows = refused_;
      rejected.total = rejected_.total + static_cast<int64_t>(refused_.size());
      MR_RETURN_IF_ERROR(WriteNote(epoch, std::move(rejected)));
    }
    rows_.clear();
    refused_.clear();
    sent_ = 0;
    return Status::Ok();
  }

 private:
  Status WriteNote(model::Epoch epoch, Rejections rejected) {
    MR_RETURN_IF_ERROR(
        note_.Write(fmt::format(R"({{"epoch":{},"started":{},"rejected":{}}})", epoch, started_,
                                JsonQuote(RejectionsToJson(rejected)))));
    committed_ = epoch;
    rejected_ = std::move(rejected);
    return Status::Ok();
  }

  // One request with the rows from `begin` on.
  Status SendFrom(size_t begin, model::Epoch epoch) {
    const size_t end = std::min(begin + batch_rows_, rows_.size());
    const size_t number = begin / batch_rows_;
    http::HttpRequest request;
    request.body = fmt::format(R"({{"job":{},"table":{},"epoch":{},"batch":{},"rows":[)",
                               JsonQuote(table_.job), JsonQuote(table_.name), epoch, number);
    for (size_t i = begin; i < end; i++) request.body += (i > begin ? "," : "") + rows_[i];
    request.body += "]}";
    request.headers.emplace_back("Idempotency-Key",
                                 fmt::format("{}.{}-{}-{}", table_.job, started_, epoch, number));
    if (!secret_.empty()) {
      request.headers.emplace_back(
          "Millrace-Signature", Signature(secret_, clock_.WallMicros() / 1'000'000, request.body));
    }
    MR_ASSIGN_OR_RETURN(const http::HttpAnswer answer, client_.Send(request));
    if (IsAboutEndpoint(answer.status)) {
      return Status(Code::kUnavailable, fmt::format("{} answers with status {}: {}", url_,
                                                    answer.status, http::ShownAnswer(answer.body)))
          .WithRetry(Retry::kBackoff);
    }
    if (answer.status < 300) return TakeRefused(answer.body, begin, end);
    const std::string reason =
        fmt::format("status {}: {}", answer.status, http::ShownAnswer(answer.body));
    for (size_t i = begin; i < end; i++) MR_RETURN_IF_ERROR(Refuse(i, reason));
    return Status::Ok();
  }

  // The rows that an endpoint which took the request says it did not take.
  Status TakeRefused(const std::string& body, size_t begin, size_t end) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    simdjson::dom::array rows;
    if (parser.parse(body).get(root) || root["rejected"].get(rows)) return Status::Ok();
    std::map<size_t, std::string> reasons;  // a row is refused once, however often it is named
    for (const simdjson::dom::element row : rows) {
      uint64_t index = 0;
      std::string_view reason;
      if (row["index"].get(index) || index >= end - begin) {
        return Status(Code::kUnavailable,
                      fmt::format("{} rejects a row that is not in the request: {}", url_,
                                  http::ShownAnswer(body)))
            .WithRetry(Retry::kBackoff);
      }
      if (row["reason"].get(reason)) reason = "the endpoint does not say why";
      reasons.try_emplace(begin + index, http::ShownAnswer(std::string(reason)));
    }
    for (const auto& [index, reason] : reasons) MR_RETURN_IF_ERROR(Refuse(index, reason));
    return Status::Ok();
  }

  Status Refuse(size_t row, const std::string& reason) {
    if (!keeps_rejected_) {
      return Status(Code::kInvalidArgument,
                    "a row of table \"" + table_.name + "\" was refused by " + url_ + ": " + reason)
          .WithDetail("row: " + rows_[row].substr(0, 500))
          .WithHint("'sink.on-reject' = 'dead-letter' puts such rows aside");
    }
    refused_.push_back({rows_[row], "", reason});
    return Status::Ok();
  }

  const TableContext table_;
  const bool keeps_rejected_;
  const std::string secret_;
  const size_t batch_rows_;
  const std::string url_;
  env::Clock& clock_;
  kafka::Note note_;
  http::HttpClient client_;
  std::unique_ptr<format::Encoder> encoder_;
  int64_t started_ = 0;  // seconds
  model::Epoch committed_ = 0;
  Rejections rejected_;
  // The epoch's rows as JSON, how many of them the endpoint has answered for, and whose it refused.
  std::vector<std::string> rows_;
  size_t sent_ = 0;
  std::vector<RejectedRow> refused_;
};

}  // namespace

std::string Signature(const std::string& secret, int64_t seconds, const std::string& body) {
  const std::string text = fmt::format("{}.{}", seconds, body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  std::string hex;
  for (unsigned int i = 0; i < size; i++) hex += fmt::format("{:02x}", digest[i]);
  return fmt::format("t={},v1={}", seconds, hex);
}

Result<std::unique_ptr<Sink>> NewWebhookSink(const TableContext& table) {
  if (!table.services.log) {
    return Status(Code::kUnsupported, "table \"" + table.name +
                                          "\" needs the project's log, to remember what was sent");
  }
  http::HttpSettings settings{.url = table.options.GetString("url"),
                              .headers = {},
                              .timeout_ms = table.options.GetMicros("timeout") / 1000};
  std::map<std::string, std::string> format_options;
  for (const auto& [name, value] : table.options.raw()) {
    if (name.starts_with("headers.")) settings.headers.emplace_back(name.substr(8), value);
    if (name.starts_with("json.")) format_options[name] = value;
  }
  MR_RETURN_IF_ERROR(CheckSettings(settings));
  MR_ASSIGN_OR_RETURN(auto encoder, format::NewEncoder("json", table.schema, format_options));
  return std::unique_ptr<Sink>(new WebhookSink(table, std::move(settings), std::move(encoder)));
}

}  // namespace millrace::connectors::webhook
