#include "connectors/delta/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/strings.h"
#include "connectors/delta/delta_schema.h"

namespace millrace::connectors::delta {

namespace {

constexpr int64_t kFeatureReader = 3;  // versions whose features are listed
constexpr int64_t kFeatureWriter = 7;
constexpr const char* kLocalTimestamps = "timestampNtz";

// Those that may be listed; whether they are in use is seen from properties and columns.
constexpr std::array<std::string_view, 8> kKnown = {
    "appendOnly",       "invariants",    "checkConstraints", "changeDataFeed",
    "generatedColumns", "columnMapping", "identityColumns",  kLocalTimestamps};

bool Has(const std::vector<std::string>& features, const std::string& name) {
  return std::find(features.begin(), features.end(), name) != features.end();
}

Status Refused(const std::string& what) {
  return Status(Code::kUnsupported, "Millrace cannot write a Delta table with " + what)
      .WithHint("write into another table, or drop the feature there");
}

Status CheckFeatures(const std::vector<std::string>& features) {
  for (const std::string& feature : features) {
    if (std::find(kKnown.begin(), kKnown.end(), feature) != kKnown.end()) continue;
    return Refused("the feature \"" + feature + "\"");
  }
  return Status::Ok();
}

}  // namespace

Status CheckWritable(const Protocol& protocol, const Metadata& metadata, bool changes_rows) {
  if (protocol.reader_version > kFeatureReader || protocol.writer_version > kFeatureWriter) {
    return Refused("reader version " + std::to_string(protocol.reader_version) +
                   " and writer version " + std::to_string(protocol.writer_version));
  }
  MR_RETURN_IF_ERROR(CheckFeatures(protocol.reader_features));
  MR_RETURN_IF_ERROR(CheckFeatures(protocol.writer_features));
  for (const auto& [name, value] : metadata.configuration) {
    const bool mapped = name == "delta.columnMapping.mode" && value != "none";
    const bool row_rule = changes_rows && value == "true" &&
                          (name == "delta.appendOnly" || name == "delta.enableChangeDataFeed");
    if (mapped || row_rule || name.starts_with("delta.constraints.")) {
      return Refused("the property \"" + name + "\" = \"" + value + "\"");
    }
  }
  return Status::Ok();
}

int64_t KeptMicros(const Metadata& metadata, const std::string& property, int64_t ours_us) {
  static const std::map<std::string, int64_t> kUnits = {
      {"week", 604'800'000'000}, {"day", 86'400'000'000}, {"hour", 3'600'000'000},
      {"minute", 60'000'000},    {"second", 1'000'000},   {"millisecond", 1'000},
      {"microsecond", 1}};
  const auto found = metadata.configuration.find(property);
  if (found == metadata.configuration.end()) return ours_us;
  const std::vector<std::string> words = Split(ToLower(found->second), ' ');
  int64_t count = 0;
  if (words.size() != 3 || words[0] != "interval") return INT64_MAX;
  const char* end = words[1].data() + words[1].size();
  if (std::from_chars(words[1].data(), end, count).ptr != end) return INT64_MAX;
  const auto unit =
      kUnits.find(words[2].ends_with('s') ? words[2].substr(0, words[2].size() - 1) : words[2]);
  if (unit == kUnits.end() || count > INT64_MAX / unit->second) return INT64_MAX;
  return std::max(ours_us, count * unit->second);
}

Result<Protocol> RaisedFor(Protocol protocol, const model::Schema& columns) {
  if (!HasLocalTimestamps(columns) || Has(protocol.writer_features, kLocalTimestamps)) {
    return protocol;
  }
  if (protocol.writer_version < kFeatureWriter) {
    if (protocol.writer_version > 2 || protocol.reader_version > 1) {
      return Status(Code::kUnsupported, "the table's protocol has no TIMESTAMP without time zone")
          .WithHint("write TIMESTAMP_LTZ(3) columns, or add the feature timestampNtz to the table");
    }
    // Version 2 means these two.
    if (protocol.writer_version == 2) protocol.writer_features = {"appendOnly", "invariants"};
    protocol.writer_version = kFeatureWriter;
  }
  protocol.reader_version = kFeatureReader;
  protocol.reader_features.push_back(kLocalTimestamps);
  protocol.writer_features.push_back(kLocalTimestamps);
  return protocol;
}

}  // namespace millrace::connectors::delta
