// EventValidator: tells valid events from invalid ones, finds their keys, and makes their records
// where these are not the events themselves.
//
// Contract: one thread at a time, reused from request to request. Decodes each event once; what it
// decoded is dropped where a topic stores the event's own bytes. With TopicSchema::encoded_as, New
// may wait for a schema registry.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/decoder.h"
#include "model/row_error.h"
#include "serve/backend.h"
#include "serve/collector.h"

namespace millrace::serve {

struct Verdict {
  std::vector<model::RowError> errors;  // at most one per event, by record_index
  // The key of each event, or none. Views into the validator, until its next call.
  std::vector<std::optional<std::string_view>> keys;
  // What is to be stored of each event that is valid; empty: the events as they are. Views into the
  // validator, until its next call.
  std::vector<std::string_view> values = {};
};

class EventValidator {
 public:
  // `schema` null: any JSON object. Errors: those of the decoder factory and of the encoder;
  // kUnknownColumn for a key column that is not in the schema.
  static Result<std::unique_ptr<EventValidator>> New(std::shared_ptr<const TopicSchema> schema,
                                                     const DecoderFactory& new_decoder);
  virtual ~EventValidator() = default;
  // Each event is followed by model::kRecordPadding readable bytes. Fails only for our own faults.
  virtual Status Validate(std::span<const std::string_view> events, Verdict& verdict) = 0;
};

}  // namespace millrace::serve
