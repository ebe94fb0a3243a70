#include "connectors/redis/redis_client.h"

#include <charconv>

#include "base/strings.h"

namespace millrace::connectors::redis {

namespace {

struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

bool ParseNumber(std::string_view text, int& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Status BadUrl(const std::string& why) {
  return Status(Code::kBadOption, "option \"url\" " + why)
      .WithHint("for example 'redis://localhost:6379/0'; the password goes into 'password'");
}

}  // namespace

Result<RedisAddress> ParseRedisUrl(const std::string& url) {
  constexpr std::string_view kScheme = "redis://";
  if (url.rfind(kScheme, 0) != 0) return BadUrl("does not begin with redis://");
  RedisAddress address;
  std::string rest = url.substr(kScheme.size());
  if (const size_t at = rest.rfind('@'); at != std::string::npos) {
    std::string login = rest.substr(0, at);
    rest = rest.substr(at + 1);
    const size_t colon = login.find(':');
    address.username = login.substr(0, colon);
    if (colon != std::string::npos) address.password = login.substr(colon + 1);
  }
  if (const size_t slash = rest.find('/'); slash != std::string::npos) {
    const std::string database = rest.substr(slash + 1);
    if (!database.empty() && !ParseNumber(database, address.database)) {
      return BadUrl("names a database that is no number");
    }
    rest = rest.substr(0, slash);
  }
  const size_t colon = rest.rfind(':');
  if (colon != std::string::npos && rest.find(']', colon) == std::string::npos) {
    if (!ParseNumber(std::string_view(rest).substr(colon + 1), address.port)) {
      return BadUrl("names a port that is no number");
    }
    rest = rest.substr(0, colon);
  }
  if (!rest.empty()) address.host = rest;
  return address;
}

bool IsPassing(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) return false;
  const std::string_view text(reply.str, reply.len);
  for (std::string_view start : {"LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN"}) {
    if (text.rfind(start, 0) == 0) return true;
  }
  return false;
}

Status RedisClient::Lost() {
  const std::string why = connection_ && connection_->err ? connection_->errstr : "no memory";
  connection_.reset();
  return Status(Code::kUnavailable, "Redis at " + address_.Shown() + " does not answer: " + why)
      .WithRetry(Retry::kReconnect);
}

Status RedisClient::Connect() {
  timeval timeout;
  timeout.tv_sec = address_.timeout_us / 1'000'000;
  timeout.tv_usec = address_.timeout_us % 1'000'000;
  connection_.reset(redisConnectWithTimeout(address_.host.c_str(), address_.port, timeout));
  if (!connection_ || connection_->err) return Lost();
  if (redisSetTimeout(connection_.get(), timeout) != REDIS_OK) return Lost();
  std::vector<Command> commands;
  if (!address_.password.empty()) {
    commands.push_back({"AUTH"});
    if (!address_.username.empty()) commands.back().push_back(address_.username);
    commands.back().push_back(address_.password);
  }
  commands.push_back({"SELECT", std::to_string(address_.database)});
  Status refused;
  MR_RETURN_IF_ERROR(Run(commands, [&](size_t, const redisReply& reply) {
    if (reply.type != REDIS_REPLY_ERROR || !refused.ok()) return;
    const std::string text(reply.str, reply.len);
    refused = Status(IsPassing(reply) ? Code::kUnavailable : Code::kFailedPrecondition,
                     "Redis at " + address_.Shown() + " refuses the connection: " + text);
    if (IsPassing(reply)) refused = std::move(refused).WithRetry(Retry::kReconnect);
  }));
  if (!refused.ok()) connection_.reset();
  return refused;
}

Status RedisClient::Run(const std::vector<Command>& commands,
                        const std::function<void(size_t, const redisReply&)>& on_reply) {
  std::vector<const char*> words;
  std::vector<size_t> sizes;
  for (const Command& command : commands) {
    words.clear();
    sizes.clear();
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(connection_.get(), static_cast<int>(words.size()), words.data(),
                               sizes.data()) != REDIS_OK) {
      return Lost();
    }
  }
  for (size_t i = 0; i < commands.size(); i++) {
    void* raw = nullptr;
    if (redisGetReply(connection_.get(), &raw) != REDIS_OK || !raw) return Lost();
    Reply reply(static_cast<redisReply*>(raw));
    on_reply(i, *reply);
  }
  return Status::Ok();
}

}  // namespace millrace::connectors::redis
