// What a registry allows: compatibility levels and modes, and what they say of a new version.
#include <fmt/format.h>

#include "registry/registry.h"
#include "registry/registry_error.h"

namespace millrace::registry {

namespace {

constexpr const char* kNewName = "the new schema";

void Add(const std::vector<Incompatibility>& found, CompatibilityAnswer& answer) {
  for (const Incompatibility& one : found) {
    answer.compatible = false;
    answer.messages.push_back(
        fmt::format("{} at {}: {}", one.kind, one.path.empty() ? "/" : one.path, one.message));
  }
}

// `what`: "compatibility" or "mode".
Status NotSet(RegistryError error, const std::string& subject, const char* what) {
  return Fault(
      error, fmt::format("Subject '{}' does not have subject-level {} configured", subject, what));
}

}  // namespace

Compatibility Registry::LevelOf(const std::string& subject) const {
  if (auto own = store_.FindConfig(subject)) return *own;
  return store_.FindConfig("").value_or(Compatibility::kBackward);
}

Mode Registry::ModeOf(const std::string& subject) const {
  if (auto own = store_.FindMode(subject)) return *own;
  return store_.FindMode("").value_or(Mode::kReadWrite);
}

Status Registry::CheckMayWrite(const std::string& subject) const {
  if (ModeOf(subject) != Mode::kReadOnly) return {};
  return Fault(RegistryError::kNotPermitted,
               fmt::format("subject \"{}\" is in mode READONLY", subject));
}

Result<CompatibilityAnswer> Registry::CheckAgainst(
    const std::vector<const SubjectVersion*>& versions, CompatibilityRule rule,
    const WholeSchema& schema) const {
  CompatibilityAnswer answer;
  for (const SubjectVersion* version : versions) {
    WholeSchema old{version->schema, {}};
    MR_RETURN_IF_ERROR(AddReferences(old.schema, old.references, 0));
    const std::string old_name = fmt::format("version {}", version->version);
    if (rule.backward) {
      MR_ASSIGN_OR_RETURN(auto found, CheckReads(schema, old, kNewName, old_name));
      Add(found, answer);
    }
    if (rule.forward) {
      MR_ASSIGN_OR_RETURN(auto found, CheckReads(old, schema, old_name, kNewName));
      Add(found, answer);
    }
  }
  return answer;
}

Result<CompatibilityAnswer> Registry::CheckLevel(const std::string& subject,
                                                 const WholeSchema& schema) const {
  const CompatibilityRule rule = RuleOf(LevelOf(subject));
  std::vector<const SubjectVersion*> versions;
  if (const auto* all = store_.FindSubject(subject); all != nullptr) {
    for (auto entry = all->rbegin(); entry != all->rend(); ++entry) {
      if (entry->second.deleted) continue;
      versions.push_back(&entry->second);
      if (!rule.transitive) break;
    }
  }
  return CheckAgainst(versions, rule, schema);
}

Result<CompatibilityAnswer> Registry::Check(const std::string& subject, std::optional<int> version,
                                            const Schema& schema) {
  std::lock_guard lock(mutex_);
  MR_ASSIGN_OR_RETURN(WholeSchema whole, Whole(schema));
  if (!version) return CheckLevel(subject, whole);
  const auto old = VersionAt(subject, *version, false);
  if (old.ok()) return CheckAgainst({*old}, RuleOf(LevelOf(subject)), whole);
  // Confluent's registry does not tell whether it is the subject that is missing.
  if (*version == kLatest) return CompatibilityAnswer();
  return NoVersion(*version);
}

Result<WholeSchema> Registry::Resolve(const Schema& schema) {
  std::lock_guard lock(mutex_);
  return Whole(schema);
}

Result<Compatibility> Registry::Config(const std::string& subject, bool or_default) {
  std::lock_guard lock(mutex_);
  if (subject.empty() || or_default || store_.FindConfig(subject)) return LevelOf(subject);
  return NotSet(RegistryError::kCompatibilityNotSet, subject, "compatibility");
}

Status Registry::SetConfig(const std::string& subject, Compatibility level) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(CheckMayWrite(subject));
  return Commit({ConfigSet{subject, level}});
}

Result<Compatibility> Registry::DeleteConfig(const std::string& subject) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(CheckMayWrite(subject));
  if (!subject.empty() && !store_.FindConfig(subject)) {
    return NotSet(RegistryError::kCompatibilityNotSet, subject, "compatibility");
  }
  const Compatibility before = LevelOf(subject);
  MR_RETURN_IF_ERROR(Commit({ConfigSet{subject, std::nullopt}}));
  return before;
}

Result<Mode> Registry::GetMode(const std::string& subject, bool or_default) {
  std::lock_guard lock(mutex_);
  if (subject.empty() || or_default || store_.FindMode(subject)) return ModeOf(subject);
  return NotSet(RegistryError::kModeNotSet, subject, "mode");
}

Status Registry::SetMode(const std::string& subject, Mode mode, bool force) {
  std::lock_guard lock(mutex_);
  const bool used =
      subject.empty() ? !store_.subjects().empty() : store_.FindSubject(subject) != nullptr;
  if (mode == Mode::kImport && used && !force) {
    return Fault(RegistryError::kNotPermitted,
                 "there are schemas already, with numbers that an import might give again")
        .WithHint("force=true sets the mode all the same");
  }
  return Commit({ModeSet{subject, mode}});
}

Result<Mode> Registry::DeleteMode(const std::string& subject) {
  std::lock_guard lock(mutex_);
  if (!subject.empty() && !store_.FindMode(subject)) {
    return NotSet(RegistryError::kModeNotSet, subject, "mode");
  }
  const Mode before = ModeOf(subject);
  MR_RETURN_IF_ERROR(Commit({ModeSet{subject, std::nullopt}}));
  return before;
}

}  // namespace millrace::registry
