// SchemaStore: the registry as its records say it is. Pure: no log, no threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "registry/schema_record.h"

namespace millrace::registry {

class SchemaStore {
 public:
  using Versions = std::map<int, SubjectVersion>;

  void Apply(const Event& event);

  const std::map<std::string, Versions>& subjects() const { return subjects_; }
  // Null when the subject never was, or is gone for good.
  const Versions* FindSubject(const std::string& subject) const;
  const SubjectVersion* FindVersion(const std::string& subject, int version) const;
  // Null when no version has the number, not even a deleted one.
  const Schema* FindId(int32_t id) const;
  // The number of an equal schema under any subject.
  std::optional<int32_t> IdOf(const Schema& schema) const;
  // Higher than any that was given.
  int32_t next_id() const { return next_id_; }
  // The number of the subject's next version, also after deletions.
  int NextVersion(const std::string& subject) const;

  // Set for this subject ("": for all).
  std::optional<Compatibility> FindConfig(const std::string& subject) const;
  std::optional<Mode> FindMode(const std::string& subject) const;

 private:
  void Add(const SubjectVersion& version);

  std::map<std::string, Versions> subjects_;
  std::map<int32_t, Schema> by_id_;
  std::map<std::string, Compatibility> configs_;
  std::map<std::string, Mode> modes_;
  int32_t next_id_ = 1;
};

}  // namespace millrace::registry
