#include <duckdb.hpp>

#include "sql/catalog.h"

#include "base/strings.h"

namespace millrace::sql {
namespace {

std::string_view LastPart(std::string_view name) {
  size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// What LIKE does with one feature of the table it copies.
enum class Mode { kIncluding, kExcluding, kOverwriting };

Mode ModeOf(const LikeClause& like, std::string_view feature) {
  // Flink's default: everything, and own options win.
  Mode mode = feature == "OPTIONS" ? Mode::kOverwriting : Mode::kIncluding;
  bool named = false;
  for (const LikeClause::Choice& choice : like.choices) {
    bool exact = choice.feature == feature;
    if (!exact && (choice.feature != "ALL" || named)) continue;
    named |= exact;
    mode = choice.mode == "EXCLUDING"    ? Mode::kExcluding
           : choice.mode == "INCLUDING" ? Mode::kIncluding
                                        : Mode::kOverwriting;
  }
  return mode;
}

Status MergeOptions(const LikeClause& like, const CreateTable& base, CreateTable& merged) {
  Mode mode = ModeOf(like, "OPTIONS");
  if (mode == Mode::kExcluding) return Status::Ok();
  for (const auto& [key, option] : base.options) {
    auto [own, added] = merged.options.emplace(key, option);
    if (added || mode == Mode::kOverwriting) continue;
    return Status(Code::kBadOption, "option \"" + key + "\" is set here and in table \"" +
                                        base.name.last() + "\"")
        .At(own->second.key_span)
        .WithHint("write LIKE " + base.name.last() + " (OVERWRITING OPTIONS) to use the value here");
  }
  return Status::Ok();
}

// The definition that `definition` LIKE `base` stands for.
Result<CreateTable> MergeLike(const CreateTable& definition, const CreateTable& base) {
  const LikeClause& like = *definition.like;
  CreateTable merged = definition;
  merged.like.reset();
  merged.columns.clear();
  for (const ColumnDefinition& column : base.columns) {
    Mode mode = Mode::kIncluding;
    if (column.kind == ColumnKind::kComputed) mode = ModeOf(like, "GENERATED");
    if (column.kind == ColumnKind::kMetadata) mode = ModeOf(like, "METADATA");
    bool replaced = false;
    for (const ColumnDefinition& own : definition.columns) {
      replaced |= mode == Mode::kOverwriting && EqualsIgnoreCase(own.name, column.name);
    }
    if (mode != Mode::kExcluding && !replaced) merged.columns.push_back(column);
  }
  merged.columns.insert(merged.columns.end(), definition.columns.begin(),
                        definition.columns.end());
  if (!merged.watermark && ModeOf(like, "WATERMARKS") != Mode::kExcluding) {
    merged.watermark = base.watermark;
  }
  if (ModeOf(like, "CONSTRAINTS") != Mode::kExcluding) {
    if (merged.primary_key.empty()) {
      merged.primary_key = base.primary_key;
      merged.primary_key_span = base.primary_key_span;
    }
    merged.constraints.insert(merged.constraints.begin(), base.constraints.begin(),
                              base.constraints.end());
  }
  if (merged.partitioned_by.empty() && ModeOf(like, "PARTITIONS") != Mode::kExcluding) {
    merged.partitioned_by = base.partitioned_by;
    merged.partitioned_by_span = base.partitioned_by_span;
  }
  MR_RETURN_IF_ERROR(MergeOptions(like, base, merged));
  return merged;
}

}  // namespace

const Catalog::Entry* Catalog::Find(std::string_view name) const {
  for (std::string_view wanted : {name, LastPart(name)}) {
    for (const Entry& entry : entries_) {
      if (entry.name() == wanted) return &entry;
    }
    for (const Entry& entry : entries_) {
      if (EqualsIgnoreCase(entry.name(), wanted)) return &entry;
    }
  }
  return nullptr;
}

const Table* Catalog::FindTable(std::string_view name) const {
  const Entry* entry = Find(name);
  return entry ? entry->table.get() : nullptr;
}

const View* Catalog::FindView(std::string_view name) const {
  const Entry* entry = Find(name);
  return entry ? entry->view.get() : nullptr;
}

Result<const Table*> Catalog::GetTable(const Name& name) const {
  const Entry* entry = Find(name.last());
  if (entry && entry->table) return entry->table.get();
  if (entry) {
    return Status(Code::kBind, "\"" + name.last() + "\" is a view, not a table")
        .At(name.span)
        .WithHint("only a table with a connector can be used here");
  }
  std::vector<std::string> names;
  for (const Table* table : Tables()) names.push_back(table->name);
  Status status =
      Status(Code::kUnknownTable, "table \"" + name.ToString() + "\" does not exist").At(name.span);
  if (names.empty()) return std::move(status).WithHint("no table is defined: write CREATE TABLE");
  return std::move(status).WithHint(DidYouMean(name.last(), names));
}

std::vector<const Table*> Catalog::Tables() const {
  std::vector<const Table*> tables;
  for (const Entry& entry : entries_) {
    if (entry.table) tables.push_back(entry.table.get());
  }
  return tables;
}

std::vector<const View*> Catalog::Views() const {
  std::vector<const View*> views;
  for (const Entry& entry : entries_) {
    if (entry.view) views.push_back(entry.view.get());
  }
  return views;
}

std::vector<std::string> Catalog::Names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name());
  return names;
}

Status Catalog::CheckFree(const Name& name) const {
  const Entry* entry = Find(name.last());
  if (!entry) return Status::Ok();
  const SourceSpan& before = entry->span();
  return Status(Code::kAlreadyExists, std::string(entry->table ? "table" : "view") + " \"" +
                                          entry->name() + "\" is already defined")
      .At(name.span)
      .WithHint("its definition is at " + before.file + ":" + std::to_string(before.line) +
                "; use another name, or CREATE … IF NOT EXISTS");
}

Status Catalog::AddTable(const CreateTable& definition) {
  if (definition.if_not_exists && Find(definition.name.last())) return Status::Ok();
  MR_RETURN_IF_ERROR(CheckFree(definition.name));
  if (!definition.query.empty()) {
    return Status(Code::kUnsupported, "CREATE TABLE … AS SELECT is not possible here")
        .At(definition.query.span)
        .WithHint("it makes a job: put it into a file of the project's sql/ directory");
  }
  Entry entry;
  entry.definition = definition;
  if (definition.like) {
    MR_ASSIGN_OR_RETURN(const Table* base, GetTable(definition.like->table));
    MR_ASSIGN_OR_RETURN(entry.definition, MergeLike(definition, Find(base->name)->definition));
  }
  MR_ASSIGN_OR_RETURN(Table table, ResolveTable(entry.definition));
  entry.table = std::make_unique<Table>(std::move(table));
  entries_.push_back(std::move(entry));
  return Status::Ok();
}

Status Catalog::AddView(const CreateView& definition) {
  const Entry* before = Find(definition.name.last());
  if (definition.if_not_exists && before) return Status::Ok();
  bool replaces = definition.or_replace && before && before->view;
  if (!replaces) MR_RETURN_IF_ERROR(CheckFree(definition.name));
  auto view = std::make_unique<View>();
  view->name = definition.name.last();
  view->temporary = definition.temporary;
  view->columns = definition.columns;
  view->flink = definition.query;
  view->span = definition.name.span;
  MR_ASSIGN_OR_RETURN(view->query, RewriteQuery(definition.query));
  if (replaces) {
    entries_[static_cast<size_t>(before - entries_.data())].view = std::move(view);
    return Status::Ok();
  }
  Entry entry;
  entry.view = std::move(view);
  entries_.push_back(std::move(entry));
  return Status::Ok();
}

Status Catalog::Remove(const Drop& drop) {
  bool wants_view = drop.kind == ObjectKind::kView;
  const Entry* entry = Find(drop.name.last());
  if (entry && (entry->view != nullptr) == wants_view) {
    entries_.erase(entries_.begin() + (entry - entries_.data()));
    return Status::Ok();
  }
  if (drop.if_exists) return Status::Ok();
  const char* kind = wants_view ? "view" : "table";
  return Status(Code::kUnknownTable,
                std::string(kind) + " \"" + drop.name.ToString() + "\" does not exist")
      .At(drop.name.span)
      .WithHint(entry ? std::string("it is a ") + (entry->view ? "view" : "table")
                      : std::string("write DROP ") + ToUpper(kind) + " IF EXISTS");
}

Status Catalog::Apply(const Statement& statement) {
  if (const auto* table = statement.As<CreateTable>()) return AddTable(*table);
  if (const auto* view = statement.As<CreateView>()) return AddView(*view);
  if (const auto* function = statement.As<CreateFunction>()) return AddFunction(*function);
  const auto* drop = statement.As<Drop>();
  if (drop && drop->kind == ObjectKind::kFunction) return RemoveFunction(*drop);
  if (drop && (drop->kind == ObjectKind::kTable || drop->kind == ObjectKind::kView)) {
    return Remove(*drop);
  }
  return Status::Ok();
}

}  // namespace millrace::sql
