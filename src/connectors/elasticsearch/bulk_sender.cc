#include "connectors/elasticsearch/bulk_sender.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "model/masking.h"

namespace millrace::connectors::elasticsearch {

namespace {

namespace dom = simdjson::dom;

std::string Text(const dom::element& from, const char* name) {
  std::string_view text;
  return from[name].get(text) ? "" : std::string(text);
}

// "mapper_parsing_exception: failed to parse field [n] …: For input string: \"x\""
std::string Words(const dom::element& error) {
  std::string words = Text(error, "type") + ": " + Text(error, "reason");
  dom::element cause;
  dom::element inner = error;
  while (!inner["caused_by"].get(cause)) {
    if (const std::string reason = Text(cause, "reason"); !reason.empty()) words += ": " + reason;
    inner = cause;
  }
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

// What stands between `before` and "]" in `text`.
std::string Bracketed(const std::string& text, const std::string& before) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + before.size();
  return text.substr(begin, std::min(text.find(']', begin), text.size()) - begin);
}

// Errors that say nothing about the document.
bool IsAboutCluster(int status, const std::string& type) {
  static constexpr const char* kTypes[] = {
      "index_not_found_exception",
      "index_closed_exception",
      "validation_exception",
      "cluster_block_exception",
      "security_exception",
      "es_rejected_execution_exception",
      "process_cluster_event_timeout_exception",
      "unavailable_shards_exception",
  };
  return status == 429 || status == 408 || status == 401 || status == 403 || status >= 500 ||
         std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

Status Unavailable(std::string message) {
  return Status(Code::kUnavailable, std::move(message)).WithRetry(Retry::kBackoff);
}

// What became of one action, by its item of the answer.
Status Settle(const dom::element& item, BulkAction& action) {
  using State = BulkAction::State;
  dom::object kinds;
  if (item.get(kinds) || kinds.begin() == kinds.end()) {
    return Unavailable("the cluster's answer to a bulk request cannot be read");
  }
  const dom::element result = (*kinds.begin()).value;
  int64_t status = 0;
  if (result["status"].get(status)) status = 500;
  dom::element error;
  if (result["error"].get(error)) {  // none; 404: what is deleted was not there
    if (status >= 300 && status != 404) return Unavailable(fmt::format("status {}", status));
    action.state = State::kDone;
    return Status::Ok();
  }
  const std::string words = Words(error);
  if (status == 409) {
    // Written before, by this epoch's first try; with a higher version, by somebody else.
    int64_t theirs = 0;
    const std::string number = Bracketed(words, "current version [");
    std::from_chars(number.data(), number.data() + number.size(), theirs);
    action.state = theirs > action.version && action.version > 0 ? State::kRejected : State::kDone;
    if (action.state == State::kRejected) action.reason = words;
    return Status::Ok();
  }
  if (IsAboutCluster(static_cast<int>(status), Text(error, "type"))) return Unavailable(words);
  action.state = State::kRejected;
  action.reason = words;
  action.column = Bracketed(words, "field [");
  return Status::Ok();
}

}  // namespace

BulkSender::BulkSender(std::vector<http::HttpSettings> hosts, BulkLimits limits) : limits_(limits) {
  for (http::HttpSettings& host : hosts) {
    urls_.push_back(model::MaskUrls(host.url));
    clients_.push_back(std::make_unique<http::HttpClient>(std::move(host)));
  }
}

Result<http::HttpAnswer> BulkSender::Request(const http::HttpRequest& request) {
  auto answer = clients_[current_]->Send(request);
  if (!answer.ok()) current_ = (current_ + 1) % clients_.size();
  return answer;
}

Result<http::HttpAnswer> BulkSender::Ask(const http::HttpRequest& request,
                                         std::span<const int> also) {
  const std::string& url = urls_[current_];
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Request(request));
  const bool expected = std::find(also.begin(), also.end(), answer.status) != also.end();
  if (answer.status == 200 || answer.status == 201 || expected) return answer;
  return Unavailable(fmt::format("{} answers {} {} with status {}: {}", url, request.method,
                                 request.path, answer.status, http::ShownAnswer(answer.body)));
}

Status BulkSender::Send(std::span<BulkAction> actions) {
  std::vector<BulkAction*> chunk;
  size_t bytes = 0;
  Status unsettled;  // of the first that must be sent again; the others go on
  auto flush = [&]() -> Status {
    if (chunk.empty()) return Status::Ok();
    Status status = SendSome(chunk);
    const bool answered = std::any_of(chunk.begin(), chunk.end(), [](const BulkAction* action) {
      return action->state != BulkAction::State::kPending;
    });
    chunk.clear();
    bytes = 0;
    if (!status.ok() && !answered) return status;
    if (unsettled.ok()) unsettled = std::move(status);
    return Status::Ok();
  };
  for (BulkAction& action : actions) {
    if (action.state != BulkAction::State::kPending) continue;
    const size_t size = action.action.size() + action.source.size() + 2;
    if (chunk.size() >= limits_.actions_max || bytes + size > limits_.bytes_max) {
      MR_RETURN_IF_ERROR(flush());
    }
    chunk.push_back(&action);
    bytes += size;
  }
  MR_RETURN_IF_ERROR(flush());
  return unsettled;
}

Status BulkSender::SendSome(std::span<BulkAction* const> actions) {
  http::HttpRequest request{
      .path = "/_bulk", .content_type = "application/x-ndjson", .headers = {}, .body = {}};
  for (const BulkAction* action : actions) {
    request.body += action->action + "\n";
    if (!action->source.empty()) request.body += action->source + "\n";
  }
  static constexpr int kRefused[] = {400, 413};
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Ask(request, kRefused));
  dom::parser parser;
  dom::element root;
  const bool readable = !parser.parse(answer.body).get(root);
  if (answer.status != 200) {
    // Refused as a whole, for its size or for one action in it.
    dom::element error;
    const bool said = readable && !root["error"].get(error) && error.is_object();
    const std::string words =
        said ? Words(error)
             : fmt::format("status {}: {}", answer.status, http::ShownAnswer(answer.body));
    if (said && IsAboutCluster(answer.status, Text(error, "type"))) return Unavailable(words);
    if (actions.size() == 1) {
      actions[0]->state = BulkAction::State::kRejected;
      actions[0]->reason = words;
      return Status::Ok();
    }
    MR_RETURN_IF_ERROR(SendSome(actions.first(actions.size() / 2)));
    return SendSome(actions.subspan(actions.size() / 2));
  }
  dom::array items;
  if (!readable || root["items"].get(items) || items.size() != actions.size()) {
    return Unavailable("the cluster's answer to a bulk request cannot be read: " +
                       http::ShownAnswer(answer.body));
  }
  Status first;
  size_t i = 0;
  for (const dom::element item : items) {
    Status status = Settle(item, *actions[i++]);
    if (first.ok()) first = std::move(status);
  }
  if (first.ok()) return first;
  return std::move(first).Annotate(urls_[current_] + " does not take documents now");
}

}  // namespace millrace::connectors::elasticsearch
