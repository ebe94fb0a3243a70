#include "project/drift_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "env/clock.h"
#include "env/diag.h"
#include "env/files.h"
#include "format/decoder.h"
#include "project/runtime.h"
#include "sql/types.h"

namespace millrace::project {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(250);

bool WantsColumns(const sql::Table& table) {
  const format::DecoderOptions options = format::DecoderOptionsOf(table.OptionValues());
  return format::DriftPolicyOf(options.format, options.options) == format::DriftPolicy::kAddColumn;
}

}  // namespace

DriftBook::DriftBook(Runtime& runtime)
    : runtime_(runtime),
      path_(runtime.project().data_directory() + "/" + Project::kAddedColumnsFile),
      added_(runtime.project().added_columns()),
      added_before_(added_.columns.size()) {
  for (const sql::Table* table : runtime.project().catalog().Tables()) {
    if (WantsColumns(*table)) growing_.insert(table->name);
  }
}

std::unique_ptr<DriftBook> DriftBook::Start(Runtime& runtime) {
  std::unique_ptr<DriftBook> book(new DriftBook(runtime));
  if (book->growing_.empty()) return nullptr;
  book->thread_ = std::thread([b = book.get()] { b->Watch(); });
  return book;
}

DriftBook::~DriftBook() {
  Finish();
}

void DriftBook::Finish() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::vector<DriftNote> DriftBook::notes() const {
  std::lock_guard lock(mutex_);
  return notes_;
}

void DriftBook::Watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    lock.unlock();
    Look();
    lock.lock();
    wake_.wait_for(lock, kLookEvery, [&] { return ending_; });
  }
  lock.unlock();
  Look();
}

void DriftBook::Look() {
  for (const JobStatement& statement : runtime_.project().jobs()) {
    const auto job = runtime_.FindJob(statement.settings.name);
    if (!job) continue;
    for (const job::TableDrift& found : job->drift()) {
      if (growing_.count(found.table) == 0) continue;
      for (const format::FieldDrift& field : found.fields) Take(found, field);
    }
  }
  if (!unsaved_) return;
  const Status saved = env::ReplaceFile(*env::FileSystem::Real(), path_, added_.ToJson());
  unsaved_ = !saved.ok();
  if (unsaved_ && !save_failed_) {
    diag::Error("drift: added columns not saved, will try again: file=\"{}\" reason={}", path_,
                JsonQuote(saved.message()));
  }
  save_failed_ = unsaved_;
}

void DriftBook::Take(const job::TableDrift& found, const format::FieldDrift& field) {
  AddedColumn* known = added_.Find(found.table, field.field);
  const bool from_before = known != nullptr && known < added_.columns.data() + added_before_;
  if (from_before) return;
  const std::string obstacle = Obstacle(found.table, field);
  if (!obstacle.empty()) {
    if (known == nullptr) Tell(found, field, "it cannot become a column: " + obstacle);
    return;
  }
  if (!field.type) return;  // only nulls so far
  const std::string type = format::DeclaredType(*field.type);
  if (known != nullptr) {
    unsaved_ |= known->type != type;
    known->type = type;
    return;
  }
  added_.columns.push_back({found.table, field.field, type, found.topic, field.first_offset,
                            env::Clock::System()->WallMicros() / 1000});
  unsaved_ = true;
  Tell(found, field, "it is a column (" + type + ") from the next start on");
}

std::string DriftBook::Obstacle(const std::string& table, const format::FieldDrift& field) const {
  if (field.field.find_first_of(".[{(") != std::string::npos) return "it is within a column";
  if (field.mixed) return "its values have no type in common";
  if (field.type && !sql::ParseTypeText(format::DeclaredType(*field.type)).ok()) {
    return "its type cannot be declared";
  }
  const auto& names = runtime_.project().catalog().FindTable(table)->column_names;
  const bool taken = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return EqualsIgnoreCase(name, field.field);
  });
  return taken ? "the table has a column of this name" : "";
}

void DriftBook::Tell(const job::TableDrift& found, const format::FieldDrift& field,
                     const std::string& outcome) {
  if (!told_.emplace(found.table, field.field).second) return;
  const std::string text = fmt::format(
      "records of table \"{}\" have a field \"{}\" that it does not declare "
      "(since offset {}{}); {}",
      found.table, field.field, field.first_offset,
      found.topic.empty() ? "" : " of topic \"" + found.topic + "\"", outcome);
  diag::Warn("drift: {}", text);
  std::lock_guard lock(mutex_);
  notes_.push_back({found.table, field.field, text});
}

}  // namespace millrace::project
