// The documents and their fields; the values are in json_values.cc.
#include "format/json_decoder.h"

#include <fmt/format.h>

#include <utility>

#include "base/strings.h"
#include "format/decode_records.h"
#include "format/row_fault.h"

namespace millrace::format {

using duckdb::idx_t;
using model::RowErrorKind;

namespace {

// Names learned at most, so that documents with random names cannot fill the memory.
constexpr size_t kKeysMax = 1024;
constexpr size_t kKeyBytesMax = 256;

const char* TopLevelName(char first) {
  switch (first) {
    case '[':
      return "an array";
    case '"':
      return "a string";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

Result<std::unique_ptr<Decoder>> JsonDecoder::Create(const DecoderOptions& options,
                                                     const FormatOptions& parsed,
                                                     const std::vector<std::string>& rows) {
  std::unique_ptr<JsonDecoder> decoder(new JsonDecoder());
  decoder->ignore_parse_errors_ = parsed.GetBool("json.ignore-parse-errors");
  decoder->fail_on_missing_field_ = parsed.GetBool("json.fail-on-missing-field");
  if (decoder->ignore_parse_errors_ && decoder->fail_on_missing_field_) {
    return Status(Code::kBadOption,
                  "options \"json.ignore-parse-errors\" and \"json.fail-on-missing-field\" cannot "
                  "both be true");
  }
  const auto& columns = options.schema.columns;
  decoder->types_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); i++) {
    auto type = MakeColumnType(columns[i].type);
    if (!type.ok()) {
      return std::move(type).status().Annotate(fmt::format("column \"{}\"", columns[i].name));
    }
    decoder->types_[i] = *std::move(type);
  }
  decoder->writers_.reserve(options.projection.size());
  for (size_t i = 0; i < options.projection.size(); i++) {
    decoder->writers_.emplace_back(
        decoder->types_[options.projection[i]],
        options.wanted.empty() ? model::WantedFields() : options.wanted[i]);
  }
  decoder->fields_.reserve(columns.size());
  for (size_t i = 0; i < columns.size(); i++) {
    Field field;
    field.name = columns[i].name;
    field.type = &decoder->types_[i];
    field.not_null = !columns[i].nullable;
    field.must_exist = decoder->fail_on_missing_field_;
    for (size_t k = 0; k < options.projection.size(); k++) {
      if (options.projection[k] == i) field.writer = &decoder->writers_[k];
    }
    if (field.writer == nullptr && !field.not_null && !field.must_exist) continue;
    decoder->fields_.push_back(std::move(field));
  }
  for (Field& field : decoder->fields_) decoder->fields_by_name_[field.name] = &field;
  decoder->first_.next = decoder->unknown_.next = &decoder->unknown_;
  decoder->FindRows(options, rows);
  return std::unique_ptr<Decoder>(std::move(decoder));
}

void JsonDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                         std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) {
  DecodeRecords(records, out, row_record, errors, writers_, fault_,
                [this](const model::Record& record, duckdb::idx_t row) {
                  return DecodeDocument(record, row);
                });
}

bool JsonDecoder::DecodeDocument(const model::Record& record, idx_t row) {
  document_++;
  fields_seen_ = 0;
  nulls_seen_ = false;
  drifted_ = nullptr;
  offset_ = record.offset;
  if (!record.has_value)
    return Fault(RowErrorKind::kMalformed, "tombstone: the record has no value");
  std::string_view document = record.value;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (document.starts_with(kByteOrderMark)) document.remove_prefix(kByteOrderMark.size());
  if (!tokens_.Index(document)) return Fault(RowErrorKind::kMalformed, tokens_.error());
  if (tokens_.Peek() != '{') {
    if (!tokens_.SkipValue()) return Malformed("an object");
    return Fault(RowErrorKind::kMalformed,
                 fmt::format("the document is {}, not an object",
                             TopLevelName(document.at(document.find_first_not_of(" \t\r\n")))));
  }
  tokens_.Advance();
  if (!DecodeFields(row)) return false;
  if (!tokens_.AtEnd()) return Malformed("nothing after the object");
  const bool complete = fields_seen_ == fields_.size() && !nulls_seen_;
  if (!complete && !CheckFields(row)) return false;
  if (drifted_ == nullptr) return true;
  fault_.column = drifted_->field;
  return Fault(RowErrorKind::kType, drifted_->Reason());
}

bool JsonDecoder::DecodeFields(idx_t row) {
  if (tokens_.Peek() == '}') {
    tokens_.Advance();
    return true;
  }
  Key* key = &first_;
  for (;;) {
    if (tokens_.Peek() != '"') return Malformed("a field name");
    key = FindKey(key);
    if (key == nullptr) return Malformed("a field name");
    if (tokens_.PeekSecond() != ':') {
      tokens_.Advance();
      return Malformed("\":\"");
    }
    tokens_.Advance(2);
    if (key->field != nullptr) {
      if (!DecodeField(*key->field, row)) return false;
    } else if (key->drift != nullptr) {
      if (!PassDrift(*key->drift)) return false;
    } else if (!tokens_.SkipValue()) {
      return Malformed("a value");
    }
    const char c = tokens_.Peek();
    if (c != ',' && c != '}') return Malformed("\",\" or \"}\"");
    tokens_.Advance();
    if (c == '}') return true;
  }
}

JsonDecoder::Key* JsonDecoder::FindKey(Key* previous) {
  Key* predicted = previous->next;
  const std::string_view rest = tokens_.Rest();
  const size_t size = predicted->quoted.size();
  // Quotes are part of the comparison, so equal bytes are an equal token.
  if (size > 0 && size <= rest.size() && SameBytes(rest.data(), predicted->quoted.data(), size)) {
    return predicted;
  }
  const std::string_view quoted = tokens_.Token();
  const auto known = keys_.find(quoted);
  if (known != keys_.end()) {
    previous->next = known->second.get();
    return previous->next;
  }
  return LearnKey(quoted, previous);
}

JsonDecoder::Key* JsonDecoder::LearnKey(std::string_view quoted, Key* previous) {
  std::string_view name;
  if (!ReadKey(name)) return nullptr;
  const auto field = fields_by_name_.find(std::string(name));
  Field* found = field != fields_by_name_.end() ? field->second : nullptr;
  const bool drifts = document_is_row_ && declared_.count(std::string(name)) == 0;
  FieldDrift* drift = drifts ? &drift_.Entry(name) : nullptr;
  if (keys_.size() >= kKeysMax || quoted.size() > kKeyBytesMax) {
    unknown_.field = found;
    unknown_.drift = drift;
    unknown_.next = &unknown_;
    return &unknown_;
  }
  auto key = std::make_unique<Key>();
  key->quoted = quoted;
  key->field = found;
  key->drift = drift;
  key->next = &unknown_;
  previous->next = key.get();
  const std::string_view stable = key->quoted;
  keys_.emplace(stable, std::move(key));
  return previous->next;
}

bool JsonDecoder::DecodeField(Field& field, idx_t row) {
  if (field.seen_in != document_) {
    field.seen_in = document_;
    fields_seen_++;
  }
  if (field.writer == nullptr) {
    field.is_null = tokens_.Peek() == 'n';
    if (!tokens_.SkipValue()) return Malformed("a value");
  } else {
    current_ = &field;
    if (!WriteValue(*field.writer, row)) {
      const std::string path = std::exchange(fault_path_, {});  // the next fault has its own
      if (fault_.kind == RowErrorKind::kMalformed) return false;
      fault_.column = field.name;
      if (!path.empty()) fault_.message += fmt::format(" (at \"{}{}\")", field.name, path);
      return false;
    }
    field.is_null = field.writer->IsNull(row);
  }
  nulls_seen_ |= field.is_null && field.not_null;
  return true;
}

bool JsonDecoder::CheckFields(idx_t row) {
  for (Field& field : fields_) {
    const bool missing = field.seen_in != document_;
    if (!missing && !(field.is_null && field.not_null)) continue;
    if (missing && !field.not_null && !field.must_exist) {
      field.writer->SetNull(row);
      continue;
    }
    fault_.column = field.name;
    if (!missing) return Fault(RowErrorKind::kNull, "null in a NOT NULL column");
    return Fault(RowErrorKind::kNull,
                 field.not_null
                     ? "the field is missing, but the column is NOT NULL"
                     : "the field is missing, and \"json.fail-on-missing-field\" is set");
  }
  return true;
}

bool JsonDecoder::Malformed(const char* expected) {
  const std::string_view rest = tokens_.Rest();
  return Fault(RowErrorKind::kMalformed,
               rest.empty() ? fmt::format("not JSON: expected {}, but the document ends", expected)
                            : fmt::format("not JSON: expected {} at byte {}, found {}", expected,
                                          tokens_.Offset(), Excerpt(rest)));
}

bool JsonDecoder::Fault(RowErrorKind kind, std::string message) {
  fault_.kind = kind;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
