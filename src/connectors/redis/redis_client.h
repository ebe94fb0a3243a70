// RedisClient: one connection to a Redis server, commands in batches.
//
// Contract: one thread. A connection that is lost, or does not answer in time, gives kUnavailable
// with Retry::kReconnect; Connect() then makes a new one.
// Source: the Redis serialization protocol, by hiredis.
#pragma once

#include <hiredis/hiredis.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::redis {

struct RedisAddress {
  std::string host = "localhost";
  int port = 6379;
  int database = 0;
  std::string username = {};
  std::string password = {};
  int64_t timeout_us = 5'000'000;  // of connecting, and of each answer

  std::string Shown() const { return host + ":" + std::to_string(port); }
};

// "redis://[user[:password]@]host[:port][/database]". Error kBadOption.
Result<RedisAddress> ParseRedisUrl(const std::string& url);

class RedisClient {
 public:
  explicit RedisClient(RedisAddress address) : address_(std::move(address)) {}

  // Drops the old connection, if any, makes a new one and logs in.
  Status Connect();
  bool connected() const { return connection_ != nullptr; }

  using Command = std::vector<std::string>;
  // Sends all commands, then reads the answers, in order. An error that the server answers to one
  // of them is an answer (REDIS_REPLY_ERROR).
  Status Run(const std::vector<Command>& commands,
             const std::function<void(size_t command, const redisReply& reply)>& on_reply);

 private:
  struct Closer {
    void operator()(redisContext* connection) const { redisFree(connection); }
  };
  Status Lost();

  RedisAddress address_;
  std::unique_ptr<redisContext, Closer> connection_;
};

// True for answers of a server that will serve again: it loads its data, or has no master.
bool IsPassing(const redisReply& reply);

}  // namespace millrace::connectors::redis
