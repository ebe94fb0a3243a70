#include "serve/event_validator.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "format/drift.h"
#include "format/format_options.h"
#include "format/json_schema/json_schema_options.h"
#include "serve/event_encoder.h"

namespace millrace::serve {

namespace {
using model::RowError;
using model::RowErrorKind;

// A topic without a table: any JSON object will do.
class AnyObjectValidator final : public EventValidator {
 public:
  Status Validate(std::span<const std::string_view> events, Verdict& verdict) override {
    verdict.errors.clear();
    verdict.keys.assign(events.size(), std::nullopt);
    for (size_t i = 0; i < events.size(); i++) {
      simdjson::dom::element element;
      // The padding behind the event makes a copy needless.
      auto error = parser_.parse(events[i].data(), events[i].size(), false).get(element);
      if (error) {
        verdict.errors.push_back(
            {static_cast<uint32_t>(i), RowErrorKind::kMalformed, "",
             fmt::format("not valid JSON: {}", ToLower(simdjson::error_message(error)))});
      } else if (!element.is_object()) {
        verdict.errors.push_back({static_cast<uint32_t>(i), RowErrorKind::kMalformed, "",
                                  "an event is a JSON object, not another value"});
      }
    }
    return {};
  }

 private:
  simdjson::dom::parser parser_;
};

class TableValidator final : public EventValidator {
 public:
  TableValidator(std::shared_ptr<const TopicSchema> schema,
                 std::unique_ptr<format::Decoder> decoder, int key_column,
                 std::unique_ptr<EventEncoder> encoder)
      : schema_(std::move(schema)),
        decoder_(std::move(decoder)),
        key_column_(key_column),
        encoder_(std::move(encoder)) {
    rows_.Initialize(duckdb::Allocator::DefaultAllocator(), schema_->schema.Types());
  }

  Status Validate(std::span<const std::string_view> events, Verdict& verdict) override {
    verdict.errors.clear();
    verdict.keys.assign(events.size(), std::nullopt);
    verdict.values.clear();
    key_ends_.clear();
    key_bytes_.clear();
    if (encoder_) encoded_.assign(events.size(), {});
    try {
      const size_t most = decoder_->records_max();
      for (size_t first = 0; first < events.size(); first += most) {
        size_t count = std::min(most, events.size() - first);
        ValidateSome(events.subspan(first, count), static_cast<uint32_t>(first), verdict);
      }
    } catch (const std::exception& e) {
      return Status(Code::kInternal,
                    fmt::format("checking events for table \"{}\" failed", schema_->table))
          .WithDetail(e.what());
    }
    // The arena has stopped growing: now views into it hold.
    size_t begin = 0;
    for (const auto& [event, end] : key_ends_) {
      verdict.keys[event] = std::string_view(key_bytes_).substr(begin, end - begin);
      begin = end;
    }
    for (size_t i = 0; i < encoded_.size(); i++) {
      verdict.values.emplace_back(encoded_[i].value);
      if (encoded_[i].key) verdict.keys[i] = *encoded_[i].key;
    }
    return {};
  }

 private:
  void ValidateSome(std::span<const std::string_view> events, uint32_t first, Verdict& verdict) {
    records_.clear();
    for (std::string_view event : events) {
      records_.push_back({.key = {}, .value = event, .headers = {}});
    }
    rows_.Reset();
    row_record_.clear();
    size_t errors_before = verdict.errors.size();
    decoder_->Decode(records_, rows_, row_record_, verdict.errors);
    if (schema_->check_constraints && rows_.size() > 0) {
      check_errors_.clear();
      schema_->check_constraints(rows_, check_errors_);
      for (auto& [row, error] : check_errors_) {
        error.record_index = row_record_[row];
        verdict.errors.push_back(std::move(error));
      }
    }
    if (encoder_) Encode(errors_before, first, verdict);
    auto begin = verdict.errors.begin() + static_cast<std::ptrdiff_t>(errors_before);
    for (auto it = begin; it != verdict.errors.end(); ++it) it->record_index += first;
    auto by_record = [](const RowError& a, const RowError& b) {
      return a.record_index < b.record_index;
    };
    auto same_record = [](const RowError& a, const RowError& b) {
      return a.record_index == b.record_index;
    };
    std::stable_sort(begin, verdict.errors.end(), by_record);
    verdict.errors.erase(std::unique(begin, verdict.errors.end(), same_record),
                         verdict.errors.end());
    if (key_column_ >= 0) FindKeys(first);
  }

  // The rows of the records that have no error yet.
  void Encode(size_t errors_before, uint32_t first, Verdict& verdict) {
    std::set<uint32_t> bad;
    for (size_t i = errors_before; i < verdict.errors.size(); i++) {
      bad.insert(verdict.errors[i].record_index);
    }
    for (size_t row = 0; row < rows_.size(); row++) {
      const uint32_t record = row_record_[row];
      if (bad.contains(record)) continue;
      auto encoded = encoder_->Encode(rows_, row);
      if (encoded.ok()) {
        encoded_[first + record] = *std::move(encoded);
      } else {
        verdict.errors.push_back(
            {record, RowErrorKind::kConstraint, "", encoded.status().message()});
      }
    }
  }

  void FindKeys(uint32_t first) {
    duckdb::Vector& column = rows_.data[static_cast<size_t>(key_column_)];
    bool is_text = column.GetType().id() == duckdb::LogicalTypeId::VARCHAR ||
                   column.GetType().id() == duckdb::LogicalTypeId::BLOB;
    duckdb::UnifiedVectorFormat format;
    column.ToUnifiedFormat(rows_.size(), format);
    int64_t last_record = -1;
    for (size_t row = 0; row < rows_.size(); row++) {
      if (row_record_[row] == last_record) continue;  // a record of several rows: its first counts
      last_record = row_record_[row];
      duckdb::idx_t at = format.sel->get_index(row);
      if (!format.validity.RowIsValid(at)) continue;
      if (is_text) {
        const auto& text = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(format)[at];
        key_bytes_.append(text.GetData(), text.GetSize());
      } else {
        key_bytes_ += column.GetValue(row).ToString();
      }
      key_ends_.emplace_back(first + row_record_[row], key_bytes_.size());
    }
  }

  std::shared_ptr<const TopicSchema> schema_;
  std::unique_ptr<format::Decoder> decoder_;
  int key_column_;
  std::unique_ptr<EventEncoder> encoder_;  // null: events are stored as they are
  std::vector<EventEncoder::Encoded> encoded_;
  duckdb::DataChunk rows_;
  std::vector<model::Record> records_;
  std::vector<uint32_t> row_record_;
  std::vector<std::pair<uint32_t, RowError>> check_errors_;
  std::string key_bytes_;
  std::vector<std::pair<size_t, size_t>> key_ends_;  // event, end of its key in key_bytes_
};
// How events are read that are written in another format. Only what is a column gets into the
// record, so an event with anything else is refused: it would be lost.
std::map<std::string, std::string> EventOptions(const TopicSchema& schema) {
  std::map<std::string, std::string> options;
  if (schema.format == format::kJsonSchema) {
    options = format::JsonOptionsOf(schema.format_options);
    options.erase("json.ignore-parse-errors");
  }
  options[format::DriftSpec("json").name] = "dead-letter";
  return options;
}

}  // namespace

Result<std::unique_ptr<EventValidator>> EventValidator::New(
    std::shared_ptr<const TopicSchema> schema, const DecoderFactory& new_decoder) {
  if (!schema) return std::unique_ptr<EventValidator>(std::make_unique<AnyObjectValidator>());
  int key_column = -1;
  if (!schema->key_column.empty()) {
    key_column = schema->schema.Find(schema->key_column);
    if (key_column < 0) {
      return Status(Code::kUnknownColumn,
                    fmt::format("the key column \"{}\" does not exist in table \"{}\"",
                                schema->key_column, schema->table))
          .WithHint(DidYouMean(schema->key_column, schema->schema.Names()));
    }
  }
  MR_ASSIGN_OR_RETURN(const format::FormatSpec* format, format::FindFormat(schema->format));
  if (format->binary && !schema->encoded_as) {
    return Status(Code::kUnsupported,
                  fmt::format("the records of table \"{}\" are of format \"{}\", which events as "
                              "JSON are not",
                              schema->table, schema->format))
        .WithHint("write them with a Kafka client");
  }
  format::DecoderOptions options;
  options.format = schema->format;
  options.schema = schema->schema;
  for (size_t i = 0; i < schema->schema.size(); i++) options.projection.push_back(i);
  options.options = schema->format_options;
  options.key = schema->primary_key;
  try {
    std::unique_ptr<EventEncoder> encoder;
    if (schema->encoded_as) {
      MR_ASSIGN_OR_RETURN(encoder, EventEncoder::New(*schema->encoded_as, schema->upsert));
      options.options = EventOptions(*schema);
      options.format = "json";
    }
    MR_ASSIGN_OR_RETURN(auto decoder, new_decoder(options));
    return std::unique_ptr<EventValidator>(std::make_unique<TableValidator>(
        std::move(schema), std::move(decoder), key_column, std::move(encoder)));
  } catch (const std::exception& e) {
    return Status(Code::kInternal, "the topic's table cannot be decoded").WithDetail(e.what());
  }
}

}  // namespace millrace::serve
