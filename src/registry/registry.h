// Registry: subjects and their versions of schemas, as Confluent's schema registry has them, kept
// in the log.
//
// Contract
//   threads   every method may be called from any thread; one at a time is carried out.
//   durable   what a method changed is in the topic `_schemas` (registry/schema_record.h) and
//   synced
//             before it returns. The topic is made with the first change.
//   errors    those of registry/registry_error.h, by their numbers; kStore when the log fails.
//   one owner nothing else writes into the topic: the log's lock and log/internal_topics.h see to
//   it.
//
// Source: Confluent's documentation, "Schema Registry API Reference".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "format/schema_registry.h"
#include "log/log.h"
#include "registry/schema_store.h"

namespace millrace::registry {

constexpr const char* kSchemasTopic = "_schemas";
constexpr int kLatest = -1;

// What is asked to be registered. `id` and `version`: given by the caller, in mode IMPORT only.
struct Registration {
  Schema schema;
  std::optional<int32_t> id = {};
  std::optional<int> version = {};
};

struct CompatibilityAnswer {
  bool compatible = true;
  std::vector<std::string> messages;  // what is not, and where; one line each
};

class Registry : public format::SchemaRegistry {
 public:
  // Reads the topic. `log` outlives the registry. Errors: kCorruption; what the log says.
  static Result<std::unique_ptr<Registry>> Open(log::Log& log);

  // ---- as formats ask (format/schema_registry.h) ----
  Result<format::RegisteredSchema> Find(int32_t id) override;
  Result<int32_t> Register(const std::string& subject,
                           const format::RegisteredSchema& schema) override;
  Result<int32_t> Latest(const std::string& subject) override;

  // ---- schemas ----
  // A new version, unless the subject has the schema already; may be repeated. 409 when the
  // subject's compatibility does not allow it, with the messages as hint.
  Result<SubjectVersion> Register(const std::string& subject, const Registration& registration);
  // The version of the subject that has this schema.
  Result<SubjectVersion> Lookup(const std::string& subject, const Schema& schema, bool deleted);
  Result<Schema> SchemaById(int32_t id);
  // Versions with this number, over all subjects.
  Result<std::vector<SubjectVersion>> VersionsOf(int32_t id, bool deleted);
  // Of all subjects that begin with the prefix, in order.
  std::vector<SubjectVersion> All(const std::string& prefix, bool deleted, bool latest_only);

  // ---- subjects ----
  std::vector<std::string> Subjects(const std::string& prefix, bool deleted);
  Result<std::vector<int>> Versions(const std::string& subject, bool deleted);
  // `version`: kLatest for the newest that is not deleted.
  Result<SubjectVersion> Version(const std::string& subject, int version, bool deleted = false);
  // Whether a version of the subject that is not deleted has this number.
  bool Has(const std::string& subject, int32_t id);
  // Numbers of the schemas that refer to this version.
  Result<std::vector<int32_t>> ReferencedBy(const std::string& subject, int version);
  // Softly; `permanent`: for good what was deleted softly before. What versions that is.
  Result<std::vector<int>> DeleteSubject(const std::string& subject, bool permanent);
  Result<int> DeleteVersion(const std::string& subject, int version, bool permanent);

  // ---- compatibility ----
  // Against one version; none: against those that the subject's level names.
  Result<CompatibilityAnswer> Check(const std::string& subject, std::optional<int> version,
                                    const Schema& schema);

  // The schema in its normal form, with the texts of what it refers to; 42201 when it is none.
  Result<WholeSchema> Resolve(const Schema& schema);

  // ---- settings; subject "" is the default of all ----
  // What is in force; 40408 when it is not set for the subject itself, unless `or_default`.
  Result<Compatibility> Config(const std::string& subject, bool or_default);
  Status SetConfig(const std::string& subject, Compatibility level);
  // What it was.
  Result<Compatibility> DeleteConfig(const std::string& subject);
  Result<Mode> GetMode(const std::string& subject, bool or_default);
  Status SetMode(const std::string& subject, Mode mode, bool force);
  Result<Mode> DeleteMode(const std::string& subject);

 private:
  explicit Registry(log::Log& log) : log_(log) {}

  Status Load();
  // Writes the events and applies them, all or none.
  Status Commit(const std::vector<Event>& events);
  Status CheckMayWrite(const std::string& subject) const;
  Compatibility LevelOf(const std::string& subject) const;
  Mode ModeOf(const std::string& subject) const;

  // The schema in its normal form, with the texts of what it refers to; 42201 when there is no
  // such.
  Result<WholeSchema> Whole(Schema schema) const;
  Status AddReferences(const Schema& schema, std::vector<format::NamedSchema>& used,
                       int depth) const;
  Result<const SchemaStore::Versions*> Subject(const std::string& subject, bool deleted) const;
  Result<const SubjectVersion*> VersionAt(const std::string& subject, int version,
                                          bool deleted) const;
  Result<CompatibilityAnswer> CheckAgainst(const std::vector<const SubjectVersion*>& versions,
                                           CompatibilityRule rule, const WholeSchema& schema) const;
  Result<CompatibilityAnswer> CheckLevel(const std::string& subject,
                                         const WholeSchema& schema) const;
  Status CheckUnreferenced(const std::string& subject, int version) const;

  log::Log& log_;
  std::mutex mutex_;
  SchemaStore store_;
};

}  // namespace millrace::registry
