// ChangelogEncoder: a row that comes or is taken away -> a message of debezium-json or
// changelog-json; see format/changelog_decoder.h for the bytes.
//
// A changelog of ours does not say which old row a new one replaces, so an update is two messages,
// as in Flink: debezium-json a "d" and a "c", changelog-json a "-D" and a "+I".
#pragma once

#include <memory>
#include <string>

#include "format/encoder.h"
#include "format/format_options.h"

namespace millrace::format {

class ChangelogEncoder : public Encoder {
 public:
  // Errors: as NewEncoder; kBadOption for 'debezium-json.schema-include', which is for reading.
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema,
                                                 const FormatSpec& spec,
                                                 const std::map<std::string, std::string>& options);

  void Bind(duckdb::DataChunk& chunk) override { rows_->Bind(chunk); }
  void EncodeBound(duckdb::idx_t row, std::string& out) override { EncodeChange(row, true, out); }
  void EncodeChange(duckdb::idx_t row, bool comes, std::string& out) override;

 private:
  ChangelogEncoder(std::unique_ptr<Encoder> rows, bool debezium)
      : rows_(std::move(rows)), debezium_(debezium) {}

  std::unique_ptr<Encoder> rows_;
  const bool debezium_;
};

}  // namespace millrace::format
