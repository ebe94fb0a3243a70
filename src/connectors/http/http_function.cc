#include "connectors/http/http_function.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/http/http_client.h"
#include "connectors/lookup.h"
#include "format/decoder.h"
#include "format/encoder.h"

namespace millrace::connectors::http {

namespace {

using duckdb::idx_t;

constexpr std::string_view kHeaders = "headers.";
// The decoder and the encoders know objects only: {"":value}.
constexpr std::string_view kBefore = "{\"\":";
constexpr std::string_view kAfter = "}";

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "http-function";
  spec.summary = "Functions served over HTTP: CREATE FUNCTION … LANGUAGE HTTP AS 'url'.";
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Every answer is journaled with its epoch before the epoch's output commits; a replay after "
      "a crash takes it from there.";
  spec.options = {
      {.name = "url", .doc = "The text after AS, not an option of WITH.", .required = true},
      {.name = "batch.max-rows",
       .type = OptionType::kInt,
       .doc = "How many rows one request holds at most, 2048 or less.",
       .default_value = "500"},
      {.name = "timeout",
       .type = OptionType::kDuration,
       .doc = "How long one request may take.",
       .default_value = "2 s"},
      {.name = "max-retries",
       .type = OptionType::kInt,
       .doc =
           "How often a request that failed is repeated, with growing pauses, before the circuit "
           "opens, where 'circuit.failures' does not say.",
       .default_value = "3"},
      {.name = "circuit.failures",
       .type = OptionType::kInt,
       .doc = "Failures in a row, over all shards, that open the circuit: then nobody asks for "
              "'circuit.pause', and after that one request tries. The job waits meanwhile "
              "(failing); no epoch commits, and nothing is lost.",
       .example = "5"},
      {.name = "circuit.pause",
       .type = OptionType::kDuration,
       .doc = "How long nobody asks while the circuit is open.",
       .default_value = "2 s"},
      {.name = "cache.max-rows",
       .type = OptionType::kInt,
       .doc = "How many answers each shard keeps at most, as part of the job's state; the oldest "
              "leave first. Without both options of the cache, every epoch asks anew.",
       .example = "100000"},
      {.name = "cache.expire-after-write",
       .type = OptionType::kDuration,
       .doc = "How long an answer is used, by the clock of the epochs; without it, for ever.",
       .example = "10 min"},
      {.name = "null-input",
       .type = OptionType::kEnum,
       .doc = "What becomes of rows with a NULL among the arguments: ask (the service decides), or "
              "null (the answer is NULL, and nobody is asked).",
       .default_value = "ask",
       .choices = {"ask", "null"}},
      {.name = "headers.*",
       .doc = "Further headers of the request.",
       .secret = true,
       .example = "'headers.authorization' = 'Bearer ${env:SCORE_TOKEN}'"},
  };
  spec.example =
      "CREATE FUNCTION fraud_score(amount DOUBLE, country STRING) RETURNS DOUBLE\n  LANGUAGE HTTP "
      "AS 'http://127.0.0.1:9000/score'\n  WITH ('cache.expire-after-write' = '10 min');\n\n"
      "INSERT INTO scored SELECT id, fraud_score(amount, country) FROM payments;";
  return spec;
}

// One request for each Ask.
class HttpFunction : public Lookup {
 public:
  HttpFunction(HttpSettings settings, size_t rows_max, duckdb::LogicalType type,
               std::vector<std::unique_ptr<format::Encoder>> encoders,
               std::unique_ptr<format::Decoder> decoder)
      : client_(std::move(settings)),
        rows_max_(rows_max),
        type_(std::move(type)),
        encoders_(std::move(encoders)),
        decoder_(std::move(decoder)) {}

  Status Open() override { return Status::Ok(); }  // the first question connects

  size_t keys_max() const override { return rows_max_; }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    const std::string body = "{\"rows\":[" + Join(RowsOf(keys), ",") + "]}";
    MR_ASSIGN_OR_RETURN(const std::string text, client_.Post(body));
    std::vector<Answer> answers;
    std::string version;
    MR_RETURN_IF_ERROR(Take(text, keys.size(), answers, version));
    Decode(answers, out);
    if (!version.empty()) out.OnVersion(version);
    return Status::Ok();
  }

 private:
  struct Answer {
    std::string value;  // JSON, in kBefore and kAfter
    std::string error;
    bool failed = false;
  };

  // Each row of arguments as a JSON array.
  std::vector<std::string> RowsOf(duckdb::DataChunk& keys) {
    std::vector<std::string> rows(keys.size(), "[");
    for (size_t c = 0; c < encoders_.size(); c++) {
      duckdb::DataChunk column;
      column.InitializeEmpty({keys.data[c].GetType()});
      column.data[0].Reference(keys.data[c]);
      column.SetCardinality(keys.size());
      std::string text;
      std::vector<size_t> ends;
      encoders_[c]->EncodeChunk(column, "", text, ends);
      size_t begin = 0;
      for (size_t row = 0; row < rows.size(); row++) {
        const size_t size = ends[row] - begin - kBefore.size() - kAfter.size();
        rows[row].append(c > 0 ? "," : "").append(text, begin + kBefore.size(), size);
        begin = ends[row];
      }
    }
    for (std::string& row : rows) row += ']';
    return rows;
  }

  static Status Malformed(const std::string& why) {
    return Status(Code::kUnavailable,
                  "the service's answer is not {\"results\": [one for each row]}: " + why)
        .WithRetry(Retry::kBackoff);
  }

  // A text as it is, anything else as JSON.
  static std::string Words(simdjson::dom::element value) {
    std::string_view text;
    return value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
  }

  Status Take(const std::string& text, size_t count, std::vector<Answer>& answers,
              std::string& version) {
    const simdjson::padded_string padded(text);
    simdjson::dom::element document;
    if (auto error = parser_.parse(padded).get(document)) {
      return Malformed(simdjson::error_message(error));
    }
    simdjson::dom::array results;
    if (auto error = document["results"].get(results)) {
      return Malformed(simdjson::error_message(error));
    }
    for (simdjson::dom::element result : results) {
      Answer answer;
      simdjson::dom::object object;
      simdjson::dom::element error;
      answer.failed = result.get(object) == simdjson::SUCCESS && object.size() == 1 &&
                      object["error"].get(error) == simdjson::SUCCESS;
      if (answer.failed) {
        answer.error = Words(error);
      } else {
        answer.value.append(kBefore).append(simdjson::minify(result)).append(kAfter);
      }
      answers.push_back(std::move(answer));
    }
    simdjson::dom::element said;
    if (document["version"].get(said) == simdjson::SUCCESS && !said.is_null()) {
      version = Words(said);
    }
    if (answers.size() == count) return Status::Ok();
    return Malformed(fmt::format("{} results for {} rows", answers.size(), count));
  }

  void Decode(const std::vector<Answer>& answers, LookupOutput& out) {
    std::string bytes;
    std::vector<uint32_t> keys;  // by record
    for (uint32_t i = 0; i < answers.size(); i++) {
      if (answers[i].failed) {
        out.OnBad(i, "the service says: " + answers[i].error);
      } else {
        bytes += answers[i].value;
        keys.push_back(i);
      }
    }
    bytes.append(model::kRecordPadding, '\0');
    std::vector<model::Record> records(keys.size());
    size_t at = 0;
    for (size_t i = 0; i < keys.size(); i++) {
      const size_t size = answers[keys[i]].value.size();
      records[i].value = std::string_view(bytes).substr(at, size);
      at += size;
    }
    if (records.empty()) return;
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), {type_});
    std::vector<uint32_t> row_record;
    std::vector<model::RowError> errors;
    decoder_->Decode(records, rows, row_record, errors);
    for (const model::RowError& error : errors) {
      const std::string& value = answers[keys[error.record_index]].value;
      out.OnBad(
          keys[error.record_index],
          fmt::format("the service answers {}, which is no {}",
                      value.substr(kBefore.size(), value.size() - kBefore.size() - kAfter.size()),
                      type_.ToString()));
    }
    std::vector<uint32_t> good;
    for (uint32_t record : row_record) good.push_back(keys[record]);
    if (!good.empty()) out.OnRows(rows, good);
  }

  HttpClient client_;
  size_t rows_max_;
  duckdb::LogicalType type_;
  std::vector<std::unique_ptr<format::Encoder>> encoders_;  // by argument
  std::unique_ptr<format::Decoder> decoder_;
  simdjson::dom::parser parser_;
};

// The schema is the parameters and the result, and the query asks by the former for the latter.
Result<std::unique_ptr<Lookup>> NewHttpFunction(const TableContext& table,
                                                const LookupQuery& query) {
  HttpSettings settings;
  settings.url = table.options.GetString("url");
  settings.timeout_ms = std::max<int64_t>(1, table.options.GetMicros("timeout") / 1000);
  for (const auto& [key, value] : table.options.raw()) {
    if (key.starts_with(kHeaders))
      settings.headers.emplace_back(key.substr(kHeaders.size()), value);
  }
  MR_RETURN_IF_ERROR(CheckSettings(settings));
  const int64_t rows_max = table.options.GetInt("batch.max-rows");
  if (rows_max < 1 || rows_max > STANDARD_VECTOR_SIZE) {
    return Status(Code::kBadOption, "option \"batch.max-rows\" must be 1 to 2048");
  }
  std::vector<std::unique_ptr<format::Encoder>> encoders;
  for (size_t c : query.keys) {
    model::Column column = table.schema.columns[c];
    column.name = "";
    MR_ASSIGN_OR_RETURN(auto encoder, format::NewEncoder("json", model::Schema{{column}}, {}));
    encoders.push_back(std::move(encoder));
  }
  model::Column result = table.schema.columns.at(query.columns.at(0));
  const duckdb::LogicalType type = result.type;
  result.name = "";
  format::DecoderOptions options;
  options.format = "json";
  options.schema.columns = {std::move(result)};
  options.projection = {0};
  MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(options));
  return std::unique_ptr<Lookup>(new HttpFunction(std::move(settings),
                                                  static_cast<size_t>(rows_max), type,
                                                  std::move(encoders), std::move(decoder)));
}

}  // namespace

ConnectorEntry HttpFunctionConnector() {
  return {Spec(), nullptr, nullptr, NewHttpFunction};
}

}  // namespace millrace::connectors::http
