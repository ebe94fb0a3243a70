// The records in which a registry is kept, in the topic `_schemas`.
//
// Format: key and value are JSON, as Confluent's registry writes them; the last record of a key
// counts.
//   {"keytype":"SCHEMA","subject":S,"version":N,"magic":1}
//       {"subject":S,"version":N,"id":I,"schemaType":T,"references":[…],"schema":X,"deleted":B};
//       schemaType is left out for AVRO; no value: the version is gone for good
//   {"keytype":"CONFIG","subject":S or null,"magic":0}   {"compatibilityLevel":L}, or none
//   {"keytype":"MODE","subject":S or null,"magic":0}     {"mode":M}, or none
//   {"keytype":"DELETE_SUBJECT","subject":S,"magic":0}   {"subject":S,"version":N}: all versions up
//       to N are deleted, softly
//   {"keytype":"NOOP","magic":0} and other keys mean nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "registry/compatibility.h"
#include "registry/schema.h"

namespace millrace::registry {

struct SchemaGone {
  std::string subject;
  int version = 0;
};
struct SubjectDeleted {
  std::string subject;
  int version = 0;  // the last one that is
};
struct ConfigSet {
  std::string subject;                 // "": of all subjects
  std::optional<Compatibility> level;  // none: no longer set
};
struct ModeSet {
  std::string subject;
  std::optional<Mode> mode;
};
struct Noop {};
using Event = std::variant<Noop, SubjectVersion, SchemaGone, SubjectDeleted, ConfigSet, ModeSet>;

struct EventRecord {
  std::string key;
  std::optional<std::string> value;
};

EventRecord EncodeEvent(const Event& event);
// Error kCorruption for a record that is none of these.
Result<Event> ParseEvent(std::string_view key, std::optional<std::string_view> value);

// [{"name":…,"subject":…,"version":…}]
std::string ReferencesJson(const std::vector<Reference>& references);

}  // namespace millrace::registry
