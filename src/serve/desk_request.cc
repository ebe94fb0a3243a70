#include "serve/desk_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "serve/json_object.h"

namespace millrace::serve {

namespace {

using Action = DeskRequest::Action;

const std::vector<std::string> kActions = {"retry", "replay", "edit", "discard"};

Status BadField(const std::string& name, const char* expected) {
  return Status(Code::kInvalidArgument, fmt::format("the field \"{}\" is not {}", name, expected));
}

// Reads the fields of a parsed object one by one.
class Fields {
 public:
  explicit Fields(simdjson::dom::object object) : object_(object) {}

  Status Check(const std::vector<std::string>& known) const {
    for (auto field : object_) {
      std::string name(field.key);
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return Status(Code::kUnknownOption, fmt::format("the field \"{}\" is not known here", name))
          .WithHint(DidYouMean(name, known));
    }
    return Status::Ok();
  }

  Status Text(const std::string& name, std::string& out) const {
    simdjson::dom::element element;
    if (object_[name].get(element) || element.is_null()) return Status::Ok();
    std::string_view text;
    if (element.get(text)) return BadField(name, "a text");
    out = std::string(text);
    return Status::Ok();
  }

  Status Flag(const std::string& name, bool& out) const {
    simdjson::dom::element element;
    if (object_[name].get(element) || element.is_null()) return Status::Ok();
    if (element.get(out)) return BadField(name, "true or false");
    return Status::Ok();
  }

  const simdjson::dom::object& object() const { return object_; }

 private:
  simdjson::dom::object object_;
};

Status ReadFilter(const Fields& fields, DeskRequest& request) {
  simdjson::dom::element element;
  if (fields.object()["filter"].get(element) || element.is_null()) return Status::Ok();
  simdjson::dom::object object;
  if (element.get(object)) return BadField("filter", "an object");
  Fields from(object);
  MR_RETURN_IF_ERROR(from.Check({"topic", "table", "job", "kind", "stage", "since_ms"}));
  LetterFilter& filter = request.filter;
  MR_RETURN_IF_ERROR(from.Text("topic", filter.topic));
  MR_RETURN_IF_ERROR(from.Text("table", filter.table));
  MR_RETURN_IF_ERROR(from.Text("job", filter.job));
  MR_RETURN_IF_ERROR(from.Text("kind", filter.kind));
  MR_RETURN_IF_ERROR(from.Text("stage", filter.stage));
  if (!object["since_ms"].get(element) && element.get(filter.since_ms)) {
    return BadField("since_ms", "a whole number");
  }
  request.filtered = true;
  return Status::Ok();
}

Status ReadIds(const Fields& fields, DeskRequest& request) {
  simdjson::dom::element element;
  if (fields.object()["ids"].get(element) || element.is_null()) return Status::Ok();
  simdjson::dom::array array;
  if (element.get(array)) return BadField("ids", "an array of ids");
  for (simdjson::dom::element one : array) {
    std::string_view text;
    if (one.get(text)) return BadField("ids", "an array of ids");
    MR_ASSIGN_OR_RETURN(project::LetterId id, project::LetterId::Parse(text));
    request.ids.push_back(id);
  }
  // One action happens to a letter once, however often it is named.
  std::sort(request.ids.begin(), request.ids.end());
  request.ids.erase(std::unique(request.ids.begin(), request.ids.end()), request.ids.end());
  return Status::Ok();
}

Status CheckWhole(const DeskRequest& request) {
  if (request.ids.empty() == !request.filtered) {
    return Status(Code::kInvalidArgument, "say which letters: \"ids\" or \"filter\", one of them")
        .WithHint("an empty filter means all that are open");
  }
  int edits = !request.set.empty() + !request.patch.empty() + request.value.has_value();
  if (request.action == Action::kEdit && edits != 1) {
    return Status(Code::kInvalidArgument, "an edit takes one of \"set\", \"patch\" and \"value\"");
  }
  if (request.action != Action::kEdit && edits != 0) {
    return Status(Code::kInvalidArgument, "\"set\", \"patch\" and \"value\" belong to an edit")
        .WithHint("edit first, then replay");
  }
  if (request.action == Action::kDiscard && Trim(request.reason).empty()) {
    return Status(Code::kInvalidArgument, "a letter is discarded for a reason: it is kept with it");
  }
  return Status::Ok();
}

}  // namespace

bool LetterFilter::Matches(const model::DeadLetter& letter) const {
  auto fits = [](const std::string& wanted, const std::string& is) {
    return wanted.empty() || wanted == is;
  };
  return fits(topic, letter.topic) && fits(table, letter.table) && fits(job, letter.job) &&
         fits(kind, model::RowErrorKindName(letter.kind)) && fits(stage, letter.stage) &&
         letter.time_ms >= since_ms;
}

Result<DeskRequest> DeskRequest::Parse(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (auto error = parser.parse(json.data(), json.size(), true).get_object().get(object)) {
    return Status(Code::kInvalidArgument, fmt::format("the body is not a JSON object: {}",
                                                      ToLower(simdjson::error_message(error))));
  }
  Fields fields(object);
  MR_RETURN_IF_ERROR(fields.Check({"action", "ids", "filter", "after", "limit", "set", "patch",
                                   "value", "dry_run", "again", "late", "reason", "who"}));
  DeskRequest request;
  std::string action, after;
  MR_RETURN_IF_ERROR(fields.Text("action", action));
  auto known = std::find(kActions.begin(), kActions.end(), action);
  if (known == kActions.end()) {
    return Status(Code::kInvalidArgument, fmt::format("there is no action \"{}\"", action))
        .WithHint(DidYouMean(action, kActions));
  }
  request.action = static_cast<Action>(known - kActions.begin());
  MR_RETURN_IF_ERROR(ReadIds(fields, request));
  MR_RETURN_IF_ERROR(ReadFilter(fields, request));
  MR_RETURN_IF_ERROR(fields.Text("after", after));
  if (!after.empty()) {
    MR_ASSIGN_OR_RETURN(request.after, project::LetterId::Parse(after));
  }
  simdjson::dom::element limit;
  if (!object["limit"].get(limit) && !limit.is_null()) {
    uint64_t number = 0;
    if (limit.get(number) || number < 1 || number > kLettersPerCallMax) {
      return Status(Code::kInvalidArgument,
                    fmt::format("the field \"limit\" is not 1 to {}", kLettersPerCallMax));
    }
    request.limit = static_cast<size_t>(number);
  }
  MR_RETURN_IF_ERROR(fields.Text("set", request.set));
  MR_ASSIGN_OR_RETURN(JsonObject raw, JsonObject::Parse(json));
  for (const auto& [name, value] : raw.fields()) {
    if (name == "patch" && value != "null") request.patch = value;
  }
  std::string value;
  MR_RETURN_IF_ERROR(fields.Text("value", value));
  if (!object["value"].error() && !object["value"].is_null()) request.value = value;
  MR_RETURN_IF_ERROR(fields.Flag("dry_run", request.dry_run));
  MR_RETURN_IF_ERROR(fields.Flag("again", request.again));
  MR_RETURN_IF_ERROR(fields.Flag("late", request.late));
  MR_RETURN_IF_ERROR(fields.Text("reason", request.reason));
  MR_RETURN_IF_ERROR(fields.Text("who", request.who));
  MR_RETURN_IF_ERROR(CheckWhole(request));
  return request;
}

}  // namespace millrace::serve
