#include "registry/schema_store.h"

#include <algorithm>

namespace millrace::registry {

namespace {

template <typename T>
void Set(std::map<std::string, T>& settings, const std::string& subject,
         const std::optional<T>& value) {
  if (value) {
    settings[subject] = *value;
  } else {
    settings.erase(subject);
  }
}

template <typename T>
std::optional<T> Find(const std::map<std::string, T>& settings, const std::string& subject) {
  auto found = settings.find(subject);
  return found == settings.end() ? std::nullopt : std::optional<T>(found->second);
}

}  // namespace

void SchemaStore::Apply(const Event& event) {
  if (const auto* version = std::get_if<SubjectVersion>(&event)) Add(*version);
  if (const auto* gone = std::get_if<SchemaGone>(&event)) {
    auto subject = subjects_.find(gone->subject);
    if (subject == subjects_.end()) return;
    subject->second.erase(gone->version);
    if (subject->second.empty()) subjects_.erase(subject);
  }
  if (const auto* deleted = std::get_if<SubjectDeleted>(&event)) {
    auto subject = subjects_.find(deleted->subject);
    if (subject == subjects_.end()) return;
    for (auto& [number, version] : subject->second) {
      if (number <= deleted->version) version.deleted = true;
    }
  }
  if (const auto* config = std::get_if<ConfigSet>(&event)) {
    Set(configs_, config->subject, config->level);
  }
  if (const auto* mode = std::get_if<ModeSet>(&event)) Set(modes_, mode->subject, mode->mode);
}

void SchemaStore::Add(const SubjectVersion& version) {
  subjects_[version.subject][version.version] = version;
  // A number stands for its schema even when no version has it any more: records may carry it.
  by_id_.emplace(version.id, version.schema);
  next_id_ = std::max(next_id_, version.id + 1);
}

const SchemaStore::Versions* SchemaStore::FindSubject(const std::string& subject) const {
  auto found = subjects_.find(subject);
  return found == subjects_.end() ? nullptr : &found->second;
}

const SubjectVersion* SchemaStore::FindVersion(const std::string& subject, int version) const {
  const Versions* versions = FindSubject(subject);
  if (versions == nullptr) return nullptr;
  auto found = versions->find(version);
  return found == versions->end() ? nullptr : &found->second;
}

const Schema* SchemaStore::FindId(int32_t id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::optional<int32_t> SchemaStore::IdOf(const Schema& schema) const {
  for (const auto& [id, known] : by_id_) {
    if (known == schema) return id;
  }
  return std::nullopt;
}

int SchemaStore::NextVersion(const std::string& subject) const {
  const Versions* versions = FindSubject(subject);
  return versions == nullptr ? 1 : versions->rbegin()->first + 1;
}

std::optional<Compatibility> SchemaStore::FindConfig(const std::string& subject) const {
  return Find(configs_, subject);
}

std::optional<Mode> SchemaStore::FindMode(const std::string& subject) const {
  return Find(modes_, subject);
}

}  // namespace millrace::registry
