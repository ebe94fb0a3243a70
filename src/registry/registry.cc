#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "registry/registry_error.h"

namespace millrace::registry {

namespace {

constexpr int64_t kReadBytes = 1 << 20;
constexpr int kReferencesDeep = 100;

// Where Confluent's registry has a message for an error, it is ours: people look for it.
Status NoSubject(const std::string& subject) {
  return Fault(RegistryError::kSubjectNotFound, fmt::format("Subject '{}' not found.", subject));
}

Status NoSchema(int32_t id) {
  return Fault(RegistryError::kSchemaNotFound, fmt::format("Schema {} not found", id));
}

bool AllDeleted(const SchemaStore::Versions& versions) {
  return std::all_of(versions.begin(), versions.end(),
                     [](const auto& entry) { return entry.second.deleted; });
}

const SubjectVersion* NewestOf(const SchemaStore::Versions& versions, bool deleted) {
  for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
    if (deleted || !entry->second.deleted) return &entry->second;
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<Registry>> Registry::Open(log::Log& log) {
  std::unique_ptr<Registry> registry(new Registry(log));
  MR_RETURN_IF_ERROR(registry->Load());
  return registry;
}

Status Registry::Load() {
  if (!log_.Describe(kSchemasTopic).ok()) return {};
  MR_ASSIGN_OR_RETURN(log::PartitionInfo partition, log_.DescribePartition(kSchemasTopic, 0));
  Status failed;
  for (int64_t next = partition.start_offset; next < partition.end_offset && failed.ok();) {
    auto visit = [&](std::span<const model::Record> records) {
      for (const model::Record& record : records) {
        auto value = record.has_value ? std::optional(record.value) : std::nullopt;
        auto event = ParseEvent(record.key, value);
        if (event.ok()) {
          store_.Apply(*event);
        } else if (failed.ok()) {
          failed = event.status();
        }
      }
    };
    MR_ASSIGN_OR_RETURN(next,
                        log_.Read(kSchemasTopic, 0, next, partition.end_offset, kReadBytes, visit));
  }
  return failed;
}

Status Registry::Commit(const std::vector<Event>& events) {
  if (!log_.Describe(kSchemasTopic).ok()) {
    MR_RETURN_IF_ERROR(log_.CreateTopic(kSchemasTopic, {.retention_ms = -1}));
  }
  std::vector<EventRecord> encoded;
  for (const Event& event : events) encoded.push_back(EncodeEvent(event));
  std::vector<log::NewRecord> records(encoded.size());
  for (size_t i = 0; i < encoded.size(); i++) {
    records[i].key = encoded[i].key;
    if (encoded[i].value) records[i].value = *encoded[i].value;
  }
  MR_RETURN_IF_ERROR(log_.AppendAndWait(kSchemasTopic, 0, records).status());
  for (const Event& event : events) store_.Apply(event);
  return {};
}

// ---- schemas ------------------------------------------------------------------------------------

Result<WholeSchema> Registry::Whole(Schema schema) const {
  WholeSchema whole{std::move(schema), {}};
  for (Reference& reference : whole.schema.references) {
    if (reference.version != kLatest) continue;
    const auto newest = VersionAt(reference.subject, kLatest, false);
    if (newest.ok()) reference.version = (*newest)->version;
  }
  MR_RETURN_IF_ERROR(AddReferences(whole.schema, whole.references, 0));
  MR_RETURN_IF_ERROR(Normalize(whole));
  return whole;
}

Status Registry::AddReferences(const Schema& schema, std::vector<format::NamedSchema>& used,
                               int depth) const {
  for (const Reference& reference : schema.references) {
    const SubjectVersion* version = store_.FindVersion(reference.subject, reference.version);
    if (version == nullptr || depth > kReferencesDeep) {
      return Fault(RegistryError::kInvalidSchema,
                   fmt::format("the schema refers to version {} of subject \"{}\", which is not "
                               "there",
                               reference.version, reference.subject));
    }
    MR_RETURN_IF_ERROR(AddReferences(version->schema, used, depth + 1));
    const format::NamedSchema named{reference.name, version->schema.text};
    if (std::find(used.begin(), used.end(), named) == used.end()) used.push_back(named);
  }
  return {};
}

Result<SubjectVersion> Registry::Register(const std::string& subject,
                                          const Registration& registration) {
  std::lock_guard lock(mutex_);
  const bool import = ModeOf(subject) == Mode::kImport;
  if (!import) {
    MR_RETURN_IF_ERROR(CheckMayWrite(subject));
    if (registration.id.value_or(-1) >= 0) {
      return Fault(RegistryError::kNotPermitted,
                   fmt::format("subject \"{}\" is not in mode IMPORT, so numbers are not chosen by "
                               "who registers",
                               subject));
    }
  }
  MR_ASSIGN_OR_RETURN(WholeSchema whole, Whole(registration.schema));
  if (const auto* versions = store_.FindSubject(subject)) {
    for (const auto& [number, version] : *versions) {
      const bool same = !version.deleted && version.schema == whole.schema;
      if (same && (!import || registration.id.value_or(version.id) == version.id)) return version;
    }
  }
  if (!import) {
    MR_ASSIGN_OR_RETURN(CompatibilityAnswer answer, CheckLevel(subject, whole));
    if (!answer.compatible) {
      return Fault(
          RegistryError::kIncompatible,
          fmt::format("the schema is incompatible with an earlier one of subject \"{}\" "
                      "({}): {}",
                      subject, CompatibilityName(LevelOf(subject)), Join(answer.messages, "; ")));
    }
  }
  SubjectVersion version{subject, store_.NextVersion(subject), 0, whole.schema};
  if (import && registration.version.value_or(-1) > 0) version.version = *registration.version;
  if (import && registration.id.value_or(-1) > 0) {
    version.id = *registration.id;
    const Schema* known = store_.FindId(version.id);
    if (known != nullptr && !(*known == version.schema)) {
      return Fault(RegistryError::kNotPermitted,
                   fmt::format("number {} stands for another schema already", version.id));
    }
  } else {
    version.id = store_.IdOf(whole.schema).value_or(store_.next_id());
  }
  MR_RETURN_IF_ERROR(Commit({version}));
  return version;
}

Result<int32_t> Registry::Register(const std::string& subject,
                                   const format::RegisteredSchema& schema) {
  MR_ASSIGN_OR_RETURN(SubjectVersion version,
                      Register(subject, Registration{{schema.type, schema.text, {}}}));
  return version.id;
}

Result<int32_t> Registry::Latest(const std::string& subject) {
  MR_ASSIGN_OR_RETURN(SubjectVersion version, Version(subject, kLatest));
  return version.id;
}

Result<format::RegisteredSchema> Registry::Find(int32_t id) {
  std::lock_guard lock(mutex_);
  const Schema* schema = store_.FindId(id);
  if (schema == nullptr) return NoSchema(id);
  format::RegisteredSchema found{schema->type, schema->text, {}};
  MR_RETURN_IF_ERROR(AddReferences(*schema, found.references, 0));
  return found;
}

Result<SubjectVersion> Registry::Lookup(const std::string& subject, const Schema& schema,
                                        bool deleted) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN_OR_RETURN(const SchemaStore::Versions* versions, Subject(subject, deleted));
  MR_ASSIGN_OR_RETURN(WholeSchema whole, Whole(schema));
  for (auto entry = versions->rbegin(); entry != versions->rend(); ++entry) {
    const SubjectVersion& version = entry->second;
    if ((deleted || !version.deleted) && version.schema == whole.schema) return version;
  }
  return Fault(RegistryError::kSchemaNotFound, "Schema not found");
}

Result<Schema> Registry::SchemaById(int32_t id) {
  std::lock_guard lock(mutex_);
  if (const Schema* schema = store_.FindId(id)) return *schema;
  return NoSchema(id);
}

Result<std::vector<SubjectVersion>> Registry::VersionsOf(int32_t id, bool deleted) {
  MR_RETURN_IF_ERROR(SchemaById(id).status());
  std::vector<SubjectVersion> found;
  for (SubjectVersion& version : All("", deleted, false)) {
    if (version.id == id) found.push_back(std::move(version));
  }
  return found;
}

std::vector<SubjectVersion> Registry::All(const std::string& prefix, bool deleted,
                                          bool latest_only) {
  std::lock_guard lock(mutex_);
  std::vector<SubjectVersion> all;
  for (const auto& [subject, versions] : store_.subjects()) {
    if (!subject.starts_with(prefix)) continue;
    const SubjectVersion* newest = NewestOf(versions, deleted);
    for (const auto& [number, version] : versions) {
      if (version.deleted && !deleted) continue;
      if (!latest_only || &version == newest) all.push_back(version);
    }
  }
  return all;
}

// ---- subjects -----------------------------------------------------------------------------------

Result<const SchemaStore::Versions*> Registry::Subject(const std::string& subject,
                                                       bool deleted) const {
  const SchemaStore::Versions* versions = store_.FindSubject(subject);
  if (versions == nullptr || (!deleted && AllDeleted(*versions))) return NoSubject(subject);
  return versions;
}

Result<const SubjectVersion*> Registry::VersionAt(const std::string& subject, int version,
                                                  bool deleted) const {
  MR_ASSIGN_OR_RETURN(const SchemaStore::Versions* versions, Subject(subject, deleted));
  if (version == kLatest) return NewestOf(*versions, deleted);
  auto found = versions->find(version);
  if (found != versions->end() && (deleted || !found->second.deleted)) return &found->second;
  return NoVersion(version);
}

std::vector<std::string> Registry::Subjects(const std::string& prefix, bool deleted) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [subject, versions] : store_.subjects()) {
    if (subject.starts_with(prefix) && (deleted || !AllDeleted(versions))) names.push_back(subject);
  }
  return names;
}

Result<std::vector<int>> Registry::Versions(const std::string& subject, bool deleted) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN_OR_RETURN(const SchemaStore::Versions* versions, Subject(subject, deleted));
  std::vector<int> numbers;
  for (const auto& [number, version] : *versions) {
    if (deleted || !version.deleted) numbers.push_back(number);
  }
  return numbers;
}

Result<SubjectVersion> Registry::Version(const std::string& subject, int version, bool deleted) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN_OR_RETURN(const SubjectVersion* found, VersionAt(subject, version, deleted));
  return *found;
}

bool Registry::Has(const std::string& subject, int32_t id) {
  std::lock_guard lock(mutex_);
  const SchemaStore::Versions* versions = store_.FindSubject(subject);
  return versions != nullptr &&
         std::any_of(versions->begin(), versions->end(), [&](const auto& entry) {
           return entry.second.id == id && !entry.second.deleted;
         });
}

Result<std::vector<int32_t>> Registry::ReferencedBy(const std::string& subject, int version) {
  MR_ASSIGN_OR_RETURN(SubjectVersion asked, Version(subject, version));
  std::vector<int32_t> ids;
  for (const SubjectVersion& other : All("", false, false)) {
    for (const Reference& reference : other.schema.references) {
      const bool refers = reference.subject == subject && reference.version == asked.version;
      if (refers && std::find(ids.begin(), ids.end(), other.id) == ids.end()) {
        ids.push_back(other.id);
      }
    }
  }
  return ids;
}

Status Registry::CheckUnreferenced(const std::string& subject, int version) const {
  for (const auto& [other, versions] : store_.subjects()) {
    for (const auto& [number, user] : versions) {
      if (user.deleted) continue;
      for (const Reference& reference : user.schema.references) {
        if (reference.subject != subject || reference.version != version) continue;
        return Fault(RegistryError::kReferenced,
                     fmt::format("version {} of subject \"{}\" is used by version {} of \"{}\"",
                                 version, subject, number, other));
      }
    }
  }
  return {};
}

Result<std::vector<int>> Registry::DeleteSubject(const std::string& subject, bool permanent) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(CheckMayWrite(subject));
  const SchemaStore::Versions* versions = store_.FindSubject(subject);
  if (versions == nullptr) return NoSubject(subject);
  const bool deleted = AllDeleted(*versions);
  if (permanent && !deleted) {
    return Fault(RegistryError::kSubjectNotSoftDeleted,
                 fmt::format("Subject '{}' was not deleted first before being permanently deleted",
                             subject));
  }
  if (!permanent && deleted) {
    return Fault(RegistryError::kSubjectSoftDeleted,
                 fmt::format("Subject '{}' was soft deleted. Set permanent=true to delete "
                             "permanently",
                             subject));
  }
  std::vector<int> numbers;
  std::vector<Event> events;
  for (const auto& [number, version] : *versions) {
    if (version.deleted && !permanent) continue;
    MR_RETURN_IF_ERROR(CheckUnreferenced(subject, number));
    numbers.push_back(number);
    if (permanent) events.push_back(SchemaGone{subject, number});
  }
  if (!permanent) events.push_back(SubjectDeleted{subject, numbers.back()});
  if (store_.FindConfig(subject)) events.push_back(ConfigSet{subject, std::nullopt});
  if (store_.FindMode(subject)) events.push_back(ModeSet{subject, std::nullopt});
  MR_RETURN_IF_ERROR(Commit(events));
  return numbers;
}

Result<int> Registry::DeleteVersion(const std::string& subject, int version, bool permanent) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(CheckMayWrite(subject));
  const bool of_deleted = permanent || version != kLatest;
  MR_ASSIGN_OR_RETURN(const SubjectVersion* found, VersionAt(subject, version, of_deleted));
  const std::string shown = fmt::format("Subject '{}' Version {}", subject, found->version);
  if (permanent && !found->deleted) {
    return Fault(RegistryError::kVersionNotSoftDeleted,
                 shown + " was not deleted first before being permanently deleted");
  }
  if (!permanent && found->deleted) {
    return Fault(RegistryError::kVersionSoftDeleted,
                 shown + " was soft deleted. Set permanent=true to delete permanently");
  }
  MR_RETURN_IF_ERROR(CheckUnreferenced(subject, found->version));
  const int number = found->version;
  SubjectVersion next = *found;
  next.deleted = true;
  MR_RETURN_IF_ERROR(
      Commit({permanent ? Event(SchemaGone{subject, number}) : Event(std::move(next))}));
  return number;
}

}  // namespace millrace::registry
