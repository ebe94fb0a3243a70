#include "connectors/redis/redis.h"

namespace millrace::connectors::redis {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "redis";
  spec.summary = "Hashes, texts and JSON documents of a Redis server, asked by key.";
  spec.lookup = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Every answer is journaled with its epoch before the epoch's output commits; a replay after "
      "a "
      "crash takes it from there.";
  spec.options = {
      {.name = "url",
       .doc = "Where the server is: redis://[user@]host[:port][/database].",
       .required = true,
       .example = "redis://localhost:6379/0"},
      {.name = "password", .doc = "Password of that user.", .secret = true},
      {.name = "key",
       .doc = "How the name of a key is made from columns of the table. Each of them must be "
              "compared in the join's ON.",
       .required = true,
       .example = "rate:{currency}"},
      {.name = "value",
       .type = OptionType::kEnum,
       .doc = "What lies under a key: a hash whose fields are the other columns; a string that is "
              "the one other column; or a string that is a JSON object of them.",
       .default_value = "hash",
       .choices = {"hash", "string", "json"}},
  };
  for (OptionSpec& option : LookupOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE rates (\n  currency STRING,\n  rate DECIMAL(18, 6)\n) WITH (\n  'connector' = "
      "'redis',\n  'url' = 'redis://localhost:6379/0',\n  'key' = 'rate:{currency}',\n  "
      "'lookup.cache' = 'PARTIAL',\n  'lookup.partial-cache.expire-after-write' = '1 min'\n);\n\n"
      "SELECT o.id, o.amount * r.rate FROM orders AS o\n"
      "JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency;";
  return spec;
}

}  // namespace

ConnectorEntry RedisConnector() {
  return {Spec(), nullptr, nullptr, NewRedisLookup};
}

}  // namespace millrace::connectors::redis
