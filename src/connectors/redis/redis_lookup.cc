// Look-ups in Redis: HMGET, GET or EXISTS for every key, all in one round trip.
#include <algorithm>

#include "base/strings.h"
#include "connectors/redis/key_pattern.h"
#include "connectors/redis/redis.h"
#include "connectors/redis/redis_client.h"
#include "connectors/text_rows.h"
#include "format/decoder.h"

namespace millrace::connectors::redis {

namespace {

using duckdb::LogicalType;

enum class ValueKind { kHash, kString, kJson };

class RedisLookup : public Lookup {
 public:
  RedisLookup(const TableContext& table, const LookupQuery& query, RedisAddress address,
              KeyPattern pattern, ValueKind kind)
      : table_(table),
        query_(query),
        pattern_(std::move(pattern)),
        kind_(kind),
        client_(std::move(address)) {
    for (size_t c : pattern_.columns()) {
      auto at = std::find(query_.keys.begin(), query_.keys.end(), c);
      name_keys_.push_back(static_cast<size_t>(at - query_.keys.begin()));
    }
    // What is stored under a key is asked for, and compared where the query gives it.
    for (const auto* wanted : {&query_.columns, &query_.keys}) {
      for (size_t c : *wanted) {
        if (!InName(c) && std::count(stored_.begin(), stored_.end(), c) == 0) stored_.push_back(c);
      }
    }
    rows_ = std::make_unique<TextRows>(table_.schema, stored_);
  }

  Status Open() override {
    if (kind_ == ValueKind::kJson) {
      format::DecoderOptions options;
      options.format = "json";
      options.schema = table_.schema;
      options.projection = stored_;
      MR_ASSIGN_OR_RETURN(decoder_, format::NewDecoder(options));
    }
    return client_.Connect();
  }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    if (!client_.connected()) MR_RETURN_IF_ERROR(client_.Connect());
    std::vector<RedisClient::Command> commands(keys.size());
    std::vector<std::string> values(name_keys_.size());
    for (duckdb::idx_t row = 0; row < keys.size(); row++) {
      for (size_t i = 0; i < name_keys_.size(); i++) {
        values[i] = keys.GetValue(name_keys_[i], row).ToString();
      }
      commands[row] = CommandFor(pattern_.Fill(values));
    }
    Complete complete(*this, keys, out);
    documents_.clear();
    Status passing;
    MR_RETURN_IF_ERROR(client_.Run(commands, [&](size_t command, const redisReply& reply) {
      const auto key = static_cast<uint32_t>(command);
      if (reply.type != REDIS_REPLY_ERROR) return Take(key, reply, complete);
      const std::string text(reply.str, reply.len);
      if (!IsPassing(reply)) return out.OnBad(key, commands[command][1] + ": " + text);
      passing = Status(Code::kUnavailable, "Redis says: " + text).WithRetry(Retry::kBackoff);
    }));
    MR_RETURN_IF_ERROR(passing);
    if (kind_ == ValueKind::kJson) DecodeDocuments(complete);
    rows_->Flush(complete);
    return Status::Ok();
  }

 private:
  // Puts the columns of the key's name beside the stored ones, and leaves out rows whose stored
  // columns are not what the query asked for.
  class Complete : public LookupOutput {
   public:
    Complete(RedisLookup& lookup, duckdb::DataChunk& keys, LookupOutput& out)
        : lookup_(lookup), keys_(keys), out_(out) {}

    void OnBad(uint32_t key, const std::string& why) override { out_.OnBad(key, why); }
    void OnRows(duckdb::DataChunk& stored, const std::vector<uint32_t>& keys) override {
      const LookupQuery& query = lookup_.query_;
      duckdb::SelectionVector asked(keys.size());
      duckdb::SelectionVector kept(keys.size());
      std::vector<uint32_t> kept_keys;
      for (duckdb::idx_t row = 0; row < keys.size(); row++) {
        bool fits = true;
        for (size_t k = 0; k < query.keys.size() && fits; k++) {
          const auto place = lookup_.PlaceOfStored(query.keys[k]);
          if (!place) continue;
          const duckdb::Value value = stored.GetValue(*place, row);
          fits = !value.IsNull() && value == keys_.GetValue(k, keys[row]);
        }
        if (!fits) continue;
        kept.set_index(kept_keys.size(), row);
        asked.set_index(kept_keys.size(), keys[row]);
        kept_keys.push_back(keys[row]);
      }
      if (kept_keys.empty()) return;
      duckdb::DataChunk rows;
      duckdb::vector<LogicalType> types;
      for (size_t c : query.columns) types.push_back(lookup_.table_.schema.columns[c].type);
      if (!types.empty()) rows.InitializeEmpty(types);
      for (size_t i = 0; i < query.columns.size(); i++) {
        const auto place = lookup_.PlaceOfStored(query.columns[i]);
        if (place) {
          rows.data[i].Slice(stored.data[*place], kept, kept_keys.size());
          continue;
        }
        const auto key = static_cast<size_t>(
            std::find(query.keys.begin(), query.keys.end(), query.columns[i]) - query.keys.begin());
        rows.data[i].Slice(keys_.data[key], asked, kept_keys.size());
      }
      rows.SetCardinality(kept_keys.size());
      out_.OnRows(rows, kept_keys);
    }

   private:
    RedisLookup& lookup_;
    duckdb::DataChunk& keys_;
    LookupOutput& out_;
  };

  bool InName(size_t column) const {
    const auto& columns = pattern_.columns();
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  }
  std::optional<size_t> PlaceOfStored(size_t column) const {
    auto at = std::find(stored_.begin(), stored_.end(), column);
    if (at == stored_.end()) return std::nullopt;
    return static_cast<size_t>(at - stored_.begin());
  }

  RedisClient::Command CommandFor(std::string name) const {
    if (stored_.empty()) return {"EXISTS", std::move(name)};
    if (kind_ != ValueKind::kHash) return {"GET", std::move(name)};
    RedisClient::Command command = {"HMGET", std::move(name)};
    for (size_t c : stored_) command.push_back(table_.schema.columns[c].name);
    return command;
  }

  void Take(uint32_t key, const redisReply& reply, LookupOutput& out) {
    texts_.assign(stored_.size(), std::nullopt);
    if (reply.type == REDIS_REPLY_INTEGER) {  // EXISTS
      if (reply.integer > 0) rows_->Add(key, texts_, out);
    } else if (reply.type == REDIS_REPLY_STRING && kind_ == ValueKind::kJson) {
      documents_.push_back({key, std::string(reply.str, reply.len)});
    } else if (reply.type == REDIS_REPLY_STRING) {
      texts_[0] = std::string_view(reply.str, reply.len);
      rows_->Add(key, texts_, out);
    } else if (reply.type == REDIS_REPLY_ARRAY) {
      // A hash without any of the fields is like none: the server tells no difference.
      bool some = false;
      for (size_t i = 0; i < reply.elements && i < texts_.size(); i++) {
        const redisReply& field = *reply.element[i];
        if (field.type != REDIS_REPLY_STRING) continue;
        texts_[i] = std::string_view(field.str, field.len);
        some = true;
      }
      if (some) rows_->Add(key, texts_, out);
    }
  }

  void DecodeDocuments(LookupOutput& out) {
    std::string bytes;
    for (const Document& document : documents_) bytes += document.text;
    bytes.append(model::kRecordPadding, '\0');
    std::vector<model::Record> records(documents_.size());
    size_t at = 0;
    for (size_t i = 0; i < documents_.size(); i++) {
      records[i].value = std::string_view(bytes).substr(at, documents_[i].text.size());
      at += documents_[i].text.size();
    }
    if (records.empty()) return;
    duckdb::vector<LogicalType> types;
    for (size_t c : stored_) types.push_back(table_.schema.columns[c].type);
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    std::vector<uint32_t> row_record;
    std::vector<model::RowError> errors;
    decoder_->Decode(records, rows, row_record, errors);
    for (const model::RowError& error : errors) {
      out.OnBad(documents_[error.record_index].key, error.message);
    }
    std::vector<uint32_t> keys;
    for (uint32_t record : row_record) keys.push_back(documents_[record].key);
    if (!keys.empty()) out.OnRows(rows, keys);
  }

  struct Document {
    uint32_t key;
    std::string text;
  };

  TableContext table_;
  LookupQuery query_;
  KeyPattern pattern_;
  ValueKind kind_;
  RedisClient client_;
  std::vector<size_t> name_keys_;  // by column of the pattern: which of the keys that is
  std::vector<size_t> stored_;     // columns that lie under a key, not in its name
  std::unique_ptr<TextRows> rows_;
  std::unique_ptr<format::Decoder> decoder_;
  std::vector<std::optional<std::string_view>> texts_;
  std::vector<Document> documents_;
};

}  // namespace

Result<std::unique_ptr<Lookup>> NewRedisLookup(const TableContext& table,
                                               const LookupQuery& query) {
  MR_ASSIGN_OR_RETURN(RedisAddress address, ParseRedisUrl(table.options.GetString("url")));
  if (table.options.Has("password")) address.password = table.options.GetString("password");
  address.timeout_us = table.options.GetMicros("lookup.timeout");
  MR_ASSIGN_OR_RETURN(KeyPattern pattern,
                      KeyPattern::Parse(table.options.GetString("key"), table.schema));
  for (size_t c : pattern.columns()) {
    if (std::count(query.keys.begin(), query.keys.end(), c) > 0) continue;
    const std::string& name = table.schema.columns[c].name;
    return Status(Code::kUnsupported, "the join does not say which \"" + name +
                                          "\" to look up in "
                                          "table \"" +
                                          table.name + "\"")
        .WithHint("its key is '" + table.options.GetString("key") + "': compare \"" + name +
                  "\" with a value in ON");
  }
  const std::string& value = table.options.GetString("value");
  const ValueKind kind = value == "hash"     ? ValueKind::kHash
                         : value == "string" ? ValueKind::kString
                                             : ValueKind::kJson;
  if (kind == ValueKind::kString && table.schema.size() != pattern.columns().size() + 1) {
    return Status(Code::kBadOption, "table \"" + table.name +
                                        "\" has 'value' = 'string', so it "
                                        "must have one column beside those of its key")
        .WithHint("'value' = 'json' or 'hash' hold several");
  }
  return std::unique_ptr<Lookup>(
      new RedisLookup(table, query, std::move(address), std::move(pattern), kind));
}

}  // namespace millrace::connectors::redis
