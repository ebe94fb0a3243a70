#include "registry/json_compatibility.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>

#include "base/strings.h"

namespace millrace::registry {

using Kind = format::JsonSchemaNode::Kind;
using Node = format::JsonSchemaNode;
using Found = std::vector<Incompatibility>;

namespace {

const char* NameOf(Kind kind) {
  constexpr const char* kNames[] = {"anything", "nothing", "string", "number", "boolean",
                                    "null",     "object",  "array",  "const",  "enum",
                                    "if",       "allOf",   "anyOf",  "oneOf",  "not"};
  return kNames[static_cast<size_t>(kind)];
}

std::string Describe(const Node& node) {
  return node.kind == Kind::kNumber && node.integer ? "integer" : NameOf(node.kind);
}

// "maxLength" -> "MAX_LENGTH"
std::string Constant(const std::string& keyword) {
  std::string name;
  for (const char c : keyword) {
    if (std::isupper(static_cast<unsigned char>(c))) name += '_';
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

bool IsAny(const Node* node) {
  return node == nullptr || Resolved(*node).kind == Kind::kAny;
}

bool IsNever(const Node* node) {
  return node != nullptr && Resolved(*node).kind == Kind::kNever;
}

bool IsOpen(const Node& node) {
  return node.additional == nullptr && node.pattern_properties.empty() && IsAny(node.unevaluated);
}

// A pattern that RE2 does not know (look-around, back-references) matches nothing.
bool Matches(const std::string& name, const std::string& pattern) {
  const RE2 expression(pattern, RE2::Quiet);
  return expression.ok() && RE2::PartialMatch(name, expression);
}

// The schema of what a partially open content model has no own schema for; null: it is closed or
// open. `name`: of a property.
const Node* Rest(const Node& node, const std::string* name) {
  for (const auto& [pattern, schema] : node.pattern_properties) {
    if (name != nullptr && Matches(*name, pattern)) return schema;
  }
  if (node.additional != nullptr) return IsNever(node.additional) ? nullptr : node.additional;
  return IsAny(node.unevaluated) || IsNever(node.unevaluated) ? nullptr : node.unevaluated;
}

// Equal ones once.
std::vector<const Node*> Distinct(const std::vector<const Node*>& parts) {
  std::vector<const Node*> distinct;
  std::set<std::string> texts;
  for (const Node* part : parts) {
    if (texts.insert(part->text).second) distinct.push_back(part);
  }
  return distinct;
}

// How many pairs of a left and a right one, each used once, `fits` allows at most.
// Source: Kuhn, "The Hungarian method for the assignment problem": augmenting paths.
size_t MatchingSize(const std::vector<std::vector<bool>>& fits, size_t right_count) {
  std::vector<int> left_of(right_count, -1);
  size_t size = 0;
  for (size_t left = 0; left < fits.size(); left++) {
    std::vector<bool> tried(right_count, false);
    const std::function<bool(size_t)> place = [&](size_t one) {
      for (size_t right = 0; right < right_count; right++) {
        if (!fits[one][right] || tried[right]) continue;
        tried[right] = true;
        if (left_of[right] < 0 || place(static_cast<size_t>(left_of[right]))) {
          left_of[right] = static_cast<int>(one);
          return true;
        }
      }
      return false;
    };
    if (place(left)) size++;
  }
  return size;
}

class Checker {
 public:
  Checker(std::string reader_name, std::string writer_name)
      : reader_name_(std::move(reader_name)), writer_name_(std::move(writer_name)) {}

  // Paths in what is found begin at the schemas given.
  Found Check(const Node* reader_or_null, const Node* writer_or_null) {
    if (reader_or_null == nullptr) return {};
    if (writer_or_null == nullptr) {
      return {{"SCHEMA_ADDED", "",
               fmt::format("there is a schema in {}, but none in {}", reader_name_, writer_name_)}};
    }
    const Node& reader = Resolved(*reader_or_null);
    const Node& writer = Resolved(*writer_or_null);
    const std::pair pair(&reader, &writer);
    if (auto known = known_.find(pair); known != known_.end()) return known->second;
    // Within itself a pair is taken as compatible; what is wrong is found outside.
    if (auto at = std::find(open_.begin(), open_.end(), pair); at != open_.end()) {
      assumed_ = std::min(assumed_, static_cast<size_t>(at - open_.begin()));
      return {};
    }
    const size_t depth = open_.size();
    if (depth == kDepthMax) {
      return {{"NESTED_TOO_DEEPLY", "", "schemas this deep inside each other are not compared"}};
    }
    const size_t assumed_before = std::exchange(assumed_, SIZE_MAX);
    open_.push_back(pair);
    Found found = CheckOpen(reader, writer);
    open_.pop_back();
    // What rests on an assumption that is still open may turn out otherwise; a fault stays one.
    if (assumed_ >= depth || !found.empty()) known_[pair] = found;
    if (assumed_ >= depth) assumed_ = SIZE_MAX;
    assumed_ = std::min(assumed_, assumed_before);
    return found;
  }

 private:
  static void Append(Found& found, const std::string& path, Found more) {
    for (Incompatibility& one : more) {
      found.push_back({std::move(one.kind), path + one.path, std::move(one.message)});
    }
  }
  std::string Differs(const std::string& what, const std::string& reader,
                      const std::string& writer) const {
    return fmt::format("{} is {} in {}, but {} in {}", what, reader, reader_name_, writer,
                       writer_name_);
  }

  Found CheckOpen(const Node& reader, const Node& writer) {
    if (reader.combined() != writer.combined() && FitsPart(reader, writer)) return {};
    const bool same = reader.kind == writer.kind || (reader.combined() && writer.combined());
    if (!same) {
      if (writer.kind == Kind::kNever || reader.kind == Kind::kAny) return {};
      return {{"TYPE_CHANGED", "", Differs("the type", Describe(reader), Describe(writer))}};
    }
    Found found;
    CheckLimits(reader, writer, found);
    switch (reader.kind) {
      case Kind::kString:
        CheckPattern(reader, writer, found);
        break;
      case Kind::kNumber:
        CheckNumber(reader, writer, found);
        break;
      case Kind::kConst:
      case Kind::kEnum:
        CheckValues(reader, writer, found);
        break;
      case Kind::kArray:
        CheckArray(reader, writer, found);
        break;
      case Kind::kObject:
        CheckObject(reader, writer, found);
        break;
      case Kind::kAllOf:
      case Kind::kAnyOf:
      case Kind::kOneOf:
        CheckCombined(reader, writer, found);
        break;
      case Kind::kNot:
        // The other way round: less must not match now.
        if (!Check(writer.parts[0], reader.parts[0]).empty()) {
          found.push_back(
              {"NOT_TYPE_EXTENDED", "/not",
               fmt::format("\"not\" excludes more in {} than in {}", reader_name_, writer_name_)});
        }
        break;
      default:
        break;
    }
    return found;
  }

  // Of a combined schema and one that is not: one part may be enough.
  bool FitsPart(const Node& reader, const Node& writer) {
    const Node& combined = reader.combined() ? reader : writer;
    const bool enough =
        combined.parts.size() == 1 ||
        (reader.combined() ? reader.kind != Kind::kAllOf : writer.kind == Kind::kAllOf);
    return enough && std::any_of(combined.parts.begin(), combined.parts.end(), [&](auto* part) {
             return reader.combined() ? Check(part, &writer).empty() : Check(&reader, part).empty();
           });
  }

  // An upper limit may only be raised, a lower one only be lowered; either may be dropped.
  void CheckLimits(const Node& reader, const Node& writer, Found& found) {
    for (const auto& [keyword, limit] : reader.limits) {
      const bool upper = ToLower(keyword).find("max") != std::string::npos;
      const auto old = writer.limits.find(keyword);
      if (old == writer.limits.end()) {
        found.push_back({Constant(keyword) + "_ADDED", "/" + keyword,
                         fmt::format("\"{}\" is {} in {}, but not set in {}", keyword, limit,
                                     reader_name_, writer_name_)});
      } else if (upper ? limit < old->second : limit > old->second) {
        found.push_back(
            {Constant(keyword) + (upper ? "_DECREASED" : "_INCREASED"), "/" + keyword,
             Differs("\"" + keyword + "\"", fmt::to_string(limit), fmt::to_string(old->second))});
      }
    }
  }

  void CheckPattern(const Node& reader, const Node& writer, Found& found) {
    if (!reader.pattern || reader.pattern == writer.pattern) return;
    found.push_back({writer.pattern ? "PATTERN_CHANGED" : "PATTERN_ADDED", "/pattern",
                     Differs("\"pattern\"", JsonQuote(*reader.pattern),
                             writer.pattern ? JsonQuote(*writer.pattern) : "not set")});
  }

  void CheckNumber(const Node& reader, const Node& writer, Found& found) {
    if (reader.integer && !writer.integer) {
      found.push_back({"TYPE_NARROWED", "", Differs("the type", "integer", "number")});
    }
    if (!reader.multiple_of || reader.multiple_of == writer.multiple_of) return;
    const double now = *reader.multiple_of;
    const double before = writer.multiple_of.value_or(0);
    if (before != 0 && IsMultiple(before, now)) return;
    const char* kind = before == 0               ? "MULTIPLE_OF_ADDED"
                       : IsMultiple(now, before) ? "MULTIPLE_OF_EXPANDED"
                                                 : "MULTIPLE_OF_CHANGED";
    found.push_back({kind, "/multipleOf",
                     Differs("\"multipleOf\"", fmt::to_string(now),
                             writer.multiple_of ? fmt::to_string(before) : "not set")});
  }

  // Decimals are no exact doubles: 0.3 counts as a multiple of 0.1.
  static bool IsMultiple(double of, double by) {
    const double quotient = of / by;
    return std::abs(quotient - std::round(quotient)) < 1e-9;
  }

  void CheckValues(const Node& reader, const Node& writer, Found& found) {
    std::vector<std::string> missing;
    std::set_difference(writer.values.begin(), writer.values.end(), reader.values.begin(),
                        reader.values.end(), std::back_inserter(missing));
    if (missing.empty()) return;
    const bool narrowed = std::includes(writer.values.begin(), writer.values.end(),
                                        reader.values.begin(), reader.values.end());
    const bool one = reader.kind == Kind::kConst;
    found.push_back({one || !narrowed ? "ENUM_ARRAY_CHANGED" : "ENUM_ARRAY_NARROWED",
                     one ? "/const" : "/enum",
                     fmt::format("{} of {} is no value in {}", Join(missing, ", "), writer_name_,
                                 reader_name_)});
  }

  // `what`: "Properties" or "Items".
  void CheckContentModel(const Node& reader, const Node& writer, const std::string& what,
                         Found& found) {
    const std::string path = "/additional" + what;
    const std::string kind = Constant("additional" + what);
    if (IsNever(reader.additional)) {
      if (!IsNever(writer.additional)) {
        found.push_back({kind + "_REMOVED", path,
                         fmt::format("{} allows no others, {} does", reader_name_, writer_name_)});
      }
    } else if (reader.additional != nullptr && writer.additional == nullptr) {
      found.push_back(
          {kind + "_NARROWED", path,
           fmt::format("{} allows others of a schema only, {} any", reader_name_, writer_name_)});
    } else if (!IsNever(writer.additional)) {
      Append(found, path, Check(reader.additional, writer.additional));
    }
    CheckUnevaluated(reader, writer, what, found);
  }

  void CheckUnevaluated(const Node& reader, const Node& writer, const std::string& what,
                        Found& found) {
    if (IsAny(reader.unevaluated) || IsNever(writer.unevaluated)) return;
    const std::string path = "/unevaluated" + what;
    const std::string kind = Constant("unevaluated" + what);
    if (IsNever(reader.unevaluated)) {
      found.push_back({kind + "_REMOVED", path,
                       fmt::format("{} allows no others, {} does", reader_name_, writer_name_)});
    } else if (IsAny(writer.unevaluated)) {
      found.push_back(
          {kind + "_NARROWED", path,
           fmt::format("{} allows others of a schema only, {} any", reader_name_, writer_name_)});
    } else {
      Append(found, path, Check(reader.unevaluated, writer.unevaluated));
    }
  }

  // A part (a property, an item) that only the writer has. `what`: "PROPERTY" or "ITEM".
  void CheckRemoved(const Node& reader, const Node& part, const std::string* name,
                    const std::string& what, const std::string& path, Found& found) {
    if (IsOpen(reader)) return;
    if (const Node* rest = Rest(reader, name)) {
      Found faults = Check(rest, &part);
      if (faults.empty()) return;
      Append(found, path, std::move(faults));
      found.push_back({what + "_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", path,
                       fmt::format("it is not in {}, which allows others of another schema only",
                                   reader_name_)});
    } else if (!IsNever(&part)) {
      found.push_back({what + "_REMOVED_FROM_CLOSED_CONTENT_MODEL", path,
                       fmt::format("it is in {}, but not in {}, which allows no others",
                                   writer_name_, reader_name_)});
    }
  }

  // A part that only the reader has, where the writer is not open.
  void CheckAddedToRest(const Node& writer, const Node& part, const std::string* name,
                        const std::string& what, const std::string& path, Found& found) {
    const Node* rest = Rest(writer, name);
    if (rest == nullptr) return;
    Found faults = Check(&part, rest);
    if (faults.empty()) return;
    Append(found, path, std::move(faults));
    found.push_back({what + "_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", path,
                     fmt::format("{} allows it with another schema", writer_name_)});
  }

  void CheckArray(const Node& reader, const Node& writer, Found& found) {
    if (reader.unique_items && !writer.unique_items) {
      found.push_back(
          {"UNIQUE_ITEMS_ADDED", "/uniqueItems",
           fmt::format("items are unique in {}, but not in {}", reader_name_, writer_name_)});
    }
    Append(found, "/items", Check(reader.items, writer.items));
    for (size_t i = 0; i < std::max(reader.parts.size(), writer.parts.size()); i++) {
      const std::string path = fmt::format("/items/{}", i);
      if (i >= reader.parts.size()) {
        CheckRemoved(reader, *writer.parts[i], nullptr, "ITEM", path, found);
      } else if (i < writer.parts.size()) {
        Append(found, path, Check(reader.parts[i], writer.parts[i]));
      } else if (!IsOpen(writer)) {
        CheckAddedToRest(writer, *reader.parts[i], nullptr, "ITEM", path, found);
      } else if (!IsAny(reader.parts[i])) {
        found.push_back({"ITEM_ADDED_TO_OPEN_CONTENT_MODEL", path, AddedToOpen()});
      }
    }
    CheckContentModel(reader, writer, "Items", found);
  }

  std::string AddedToOpen() const {
    return fmt::format("it is not in {}, which allows it to be anything", writer_name_);
  }

  void CheckObject(const Node& reader, const Node& writer, Found& found) {
    for (const auto& [name, part] : writer.properties) {
      const std::string path = "/properties/" + name;
      const auto read = reader.properties.find(name);
      if (read == reader.properties.end()) {
        CheckRemoved(reader, *part, &name, "PROPERTY", path, found);
        continue;
      }
      Append(found, path, Check(read->second, part));
      const bool required = reader.required.count(name) > 0 && writer.required.count(name) == 0;
      if (required && !Resolved(*read->second).has_default) {
        found.push_back({"REQUIRED_ATTRIBUTE_ADDED", "/required/" + name, NewlyRequired(name)});
      }
    }
    for (const auto& [name, part] : reader.properties) {
      if (writer.properties.count(name) == 0) CheckAdded(reader, writer, name, *part, found);
    }
    CheckDependencies(reader, writer, found);
    CheckContentModel(reader, writer, "Properties", found);
  }

  std::string NewlyRequired(const std::string& name) const {
    return fmt::format("property \"{}\" is required in {}, without a default, but not in {}", name,
                       reader_name_, writer_name_);
  }

  void CheckAdded(const Node& reader, const Node& writer, const std::string& name, const Node& part,
                  Found& found) {
    const std::string path = "/properties/" + name;
    const bool required = reader.required.count(name) > 0;
    const bool lacks = required && !Resolved(part).has_default;
    if (!IsOpen(writer)) {
      CheckAddedToRest(writer, part, &name, "PROPERTY", path, found);
      if (!lacks) return;
      found.push_back(
          {"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", path, NewlyRequired(name)});
    } else if (!IsAny(&part)) {
      const char* kind = lacks      ? "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
                         : required ? "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL"
                                    : "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL";
      found.push_back({kind, path, lacks ? NewlyRequired(name) : AddedToOpen()});
    }
  }

  void CheckDependencies(const Node& reader, const Node& writer, Found& found) {
    for (const auto& [name, needs] : reader.required_with) {
      const auto old = writer.required_with.find(name);
      const std::set<std::string> none;
      const std::set<std::string>& before = old == writer.required_with.end() ? none : old->second;
      const bool added = old == writer.required_with.end();
      if (!added && std::includes(before.begin(), before.end(), needs.begin(), needs.end())) {
        continue;
      }
      const bool extended = std::includes(needs.begin(), needs.end(), before.begin(), before.end());
      const char* kind = added      ? "DEPENDENCY_ARRAY_ADDED"
                         : extended ? "DEPENDENCY_ARRAY_EXTENDED"
                                    : "DEPENDENCY_ARRAY_CHANGED";
      found.push_back(
          {kind, "/dependencies/" + name,
           fmt::format("where property \"{}\" is, {} must be in {}, but {} in {}", name,
                       Join({needs.begin(), needs.end()}, ", "), reader_name_,
                       before.empty() ? "nothing" : Join({before.begin(), before.end()}, ", "),
                       writer_name_)});
    }
    for (const auto& [name, schema] : reader.schema_with) {
      const auto old = writer.schema_with.find(name);
      const std::string path = "/dependencies/" + name;
      if (old == writer.schema_with.end()) {
        found.push_back(
            {"DEPENDENCY_SCHEMA_ADDED", path,
             fmt::format("where property \"{}\" is, a schema holds in {}, but none in {}", name,
                         reader_name_, writer_name_)});
      } else {
        Append(found, path, Check(schema, old->second));
      }
    }
  }

  // Parts that fit each other are paired; the smaller side must be used up.
  void CheckCombined(const Node& reader, const Node& writer, Found& found) {
    const bool one_read = reader.parts.size() == 1;
    const bool one_written = writer.parts.size() == 1;
    if (reader.kind != writer.kind && reader.kind != Kind::kAnyOf && !(one_read && one_written) &&
        !(one_written && reader.kind == Kind::kOneOf) &&
        !(one_read && writer.kind == Kind::kAllOf)) {
      found.push_back({"COMBINED_TYPE_CHANGED", "",
                       Differs("the combination", NameOf(reader.kind), NameOf(writer.kind))});
      return;
    }
    const auto reads = Distinct(reader.parts);
    const auto wrote = Distinct(writer.parts);
    const std::string path = std::string("/") + NameOf(reader.kind);
    const std::string counts = Differs("the number of its schemas", fmt::to_string(reads.size()),
                                       fmt::to_string(wrote.size()));
    if (wrote.size() < reads.size() && reader.kind == Kind::kAllOf) {
      found.push_back({"PRODUCT_TYPE_EXTENDED", path, counts});
    } else if (wrote.size() > reads.size() && writer.kind != Kind::kAllOf) {
      found.push_back({"SUM_TYPE_NARROWED", path, counts});
    }
    std::vector<std::vector<bool>> fits;
    Found closest;  // of one alone: what is wrong with it
    for (const Node* part : wrote) {
      fits.emplace_back();
      for (const Node* read : reads) {
        Found faults = Check(read, part);
        fits.back().push_back(faults.empty());
        if (reads.size() == wrote.size() && fits.back().size() == fits.size()) {
          Append(closest, fmt::format("{}/{}", path, fits.size() - 1), std::move(faults));
        }
      }
    }
    if (MatchingSize(fits, reads.size()) >= std::min(reads.size(), wrote.size())) return;
    Append(found, "", std::move(closest));
    found.push_back(
        {"COMBINED_TYPE_SUBSCHEMAS_CHANGED", path,
         fmt::format("not each of its schemas in {} reads one of {}", reader_name_, writer_name_)});
  }

  static constexpr size_t kDepthMax = 1000;

  const std::string reader_name_;
  const std::string writer_name_;
  using Pair = std::pair<const Node*, const Node*>;
  std::vector<Pair> open_;
  size_t assumed_ = SIZE_MAX;  // the outermost open pair that an answer was assumed of
  std::map<Pair, Found> known_;
};

}  // namespace

std::vector<Incompatibility> CheckJson(const format::JsonSchemaNode& reader,
                                       const format::JsonSchemaNode& writer,
                                       const std::string& reader_name,
                                       const std::string& writer_name) {
  return Checker(reader_name, writer_name).Check(&reader, &writer);
}

}  // namespace millrace::registry
