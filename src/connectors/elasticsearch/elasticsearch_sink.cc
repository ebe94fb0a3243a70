// Sink into an index, exactly once.
//
// Versions. Keyed tables write with version_type=external, which changes a document only when the
// new version is above its own; V(E) = F + E for epoch E, where F, the job's first version, is the
// clock in microseconds when the sink first began. So an epoch that is written again changes
// nothing (409, and the version there is V(E)); a later epoch always wins, deletions included; and
// so does a job that is started over, or one that takes over another's index, since no job has an
// epoch in each microsecond. A higher version there is somebody else's: the row is rejected.
//
// Ids. Tables without a key only create documents: id = <job and table, hashed>-F-E-<row number>.
//
// Commit(E): (1) sends what is not settled yet; (2) notes E, F and what was rejected in the
// document of (job, table) in index millrace-commits. After a crash in between E is written again,
// as above.
#include <fmt/format.h>
#include <simdjson.h>
#include <xxhash.h>

#include <unordered_map>

#include "base/strings.h"
#include "connectors/elasticsearch/bulk_sender.h"
#include "connectors/elasticsearch/cluster.h"
#include "connectors/elasticsearch/elasticsearch.h"
#include "connectors/elasticsearch/index_name.h"
#include "connectors/net_changes.h"
#include "connectors/rejections.h"
#include "env/clock.h"
#include "format/encoder.h"

namespace millrace::connectors::elasticsearch {

namespace {

constexpr const char* kCommits = "/millrace-commits";
constexpr size_t kIdBytesMax = 512;  // a cluster refuses longer ones

class ElasticsearchSink : public Sink {
 public:
  ElasticsearchSink(const TableContext& table, IndexName index, BulkSender sender,
                    std::unique_ptr<format::Encoder> encoder)
      : table_(table),
        keeps_rejected_(KeepsRejected(table)),
        delimiter_(table.options.GetString("document-id.key-delimiter")),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        index_(std::move(index)),
        sender_(std::move(sender)),
        encoder_(std::move(encoder)) {
    const std::string owner = table.job + '\0' + table.name;
    owner_ = fmt::format("{:016x}", XXH64(owner.data(), owner.size(), 0));
    for (const std::string& name : table.primary_key) {
      key_columns_.push_back(static_cast<size_t>(table.schema.Find(name)));
    }
  }

  Status Open() override {
    // 400: it is there already.
    static constexpr int kThere[] = {400}, kMissing[] = {404};
    MR_RETURN_IF_ERROR(
        sender_
            .Ask({.method = "PUT", .path = kCommits, .body = R"({"mappings":{"dynamic":false}})"},
                 kThere)
            .status());
    MR_ASSIGN_OR_RETURN(http::HttpAnswer answer,
                        sender_.Ask({.method = "GET", .path = NotePath()}, kMissing));
    if (answer.status == 404) {
      first_version_ = clock_.WallMicros();
      return WriteNote(0, Rejections());
    }
    return ReadNote(answer.body);
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }
  const Rejections& Rejected() const override { return rejected_; }

  Status Write(const SinkBatch& batch) override {
    std::string index, document;
    for (duckdb::idx_t row = 0; row < batch.rows->size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      index.clear();
      document.clear();
      encoder_->EncodeRow(*batch.rows, row, document);
      size_t null_column = 0;
      std::optional<RejectedRow> bad;
      if (!index_.Append(*batch.rows, row, index, null_column)) {
        const std::string& column = table_.schema.columns[null_column].name;
        bad = {document, column, "column \"" + column + "\" of the index's name is NULL"};
      }
      if (!key_columns_.empty()) {
        AddChange(batch, row, index, document, weight, std::move(bad));
        continue;
      }
      if (weight < 0) return RefuseRetraction();
      for (int32_t copy = 0; copy < weight; copy++) {
        if (bad) {
          refused_.push_back(*bad);
        } else {
          documents_.push_back({index, document});
        }
      }
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch > committed_) {
      if (!built_) {
        Build(epoch);
        built_ = true;
      }
      MR_RETURN_IF_ERROR(sender_.Send(actions_));
      Rejections rejected;
      rejected.rows = refused_;
      for (BulkAction& action : actions_) {
        if (action.state != BulkAction::State::kRejected) continue;
        rejected.rows.push_back({rows_[action.row], action.column, action.reason});
      }
      if (!rejected.rows.empty() && !keeps_rejected_) return Refuse(rejected.rows[0]);
      rejected.total = rejected_.total + static_cast<int64_t>(rejected.rows.size());
      MR_RETURN_IF_ERROR(WriteNote(epoch, rejected));
    }
    documents_.clear();
    changes_.Clear();
    bad_changes_.clear();
    refused_.clear();
    actions_.clear();
    rows_.clear();
    built_ = false;
    return Status::Ok();
  }

 private:
  struct Document {
    std::string index;
    std::string text;
  };

  std::string NotePath() const { return std::string(kCommits) + "/_doc/" + owner_; }

  Status ReadNote(const std::string& answer) {
    simdjson::dom::parser parser;
    simdjson::dom::element root, note;
    std::string_view rejected;
    if (parser.parse(answer).get(root) || root["_source"].get(note) ||
        note["epoch"].get(committed_) || note["first_version"].get(first_version_) ||
        note["rejected"].get(rejected)) {
      return Status(Code::kCorruption,
                    "the note of job \"" + table_.job + "\" in index millrace-commits is damaged")
          .WithDetail(http::ShownAnswer(answer));
    }
    MR_ASSIGN_OR_RETURN(rejected_, RejectionsFromJson(std::string(rejected)));
    return Status::Ok();
  }

  Status WriteNote(model::Epoch epoch, Rejections rejected) {
    const std::string note =
        fmt::format(R"({{"job":{},"sink":{},"epoch":{},"first_version":{},"rejected":{}}})",
                    JsonQuote(table_.job), JsonQuote(table_.name), epoch, first_version_,
                    JsonQuote(RejectionsToJson(rejected)));
    MR_RETURN_IF_ERROR(
        sender_.Ask({.method = "PUT", .path = NotePath(), .body = note}, {}).status());
    committed_ = epoch;
    rejected_ = std::move(rejected);
    return Status::Ok();
  }

  Status RefuseRetraction() const {
    return Status(Code::kUnsupported, "table \"" + table_.name +
                                          "\" takes new rows only, but the query takes rows back")
        .WithDetail("without a key there is no telling which document is meant")
        .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
  }

  Status Refuse(const RejectedRow& row) const {
    return Status(Code::kInvalidArgument,
                  "a row of table \"" + table_.name + "\" was refused: " + row.reason)
        .WithDetail("row: " + row.row.substr(0, 500))
        .WithHint("'sink.on-reject' = 'dead-letter' puts such rows aside");
  }

  // The document's id: the values of the key. Changes of one document are told by index and id.
  void AddChange(const SinkBatch& batch, duckdb::idx_t row, const std::string& index,
                 const std::string& document, int32_t weight, std::optional<RejectedRow> bad) {
    std::string key = index;
    key += '\0';
    const size_t id_begin = key.size();
    for (size_t i = 0; i < key_columns_.size(); i++) {
      const duckdb::Value value = batch.rows->GetValue(key_columns_[i], row);
      if (i) key += delimiter_;
      if (value.IsNull()) {
        const std::string& column = table_.schema.columns[key_columns_[i]].name;
        bad = {document, column, "column \"" + column + "\" of the primary key is NULL"};
      } else {
        key += value.ToString();
      }
    }
    const size_t id_bytes = key.size() - id_begin;
    if (!bad && (id_bytes == 0 || id_bytes > kIdBytesMax)) {
      bad = {document, "",
             fmt::format("the primary key has {} bytes; an id has 1 to {}", id_bytes, kIdBytesMax)};
    }
    // No index holds such a row, so each is a document of its own here: none replaces another.
    if (bad) {
      key = '\0' + document;
      bad_changes_.try_emplace(key, std::move(*bad));
    }
    changes_.Add(key, document, 0, weight);
  }

  void Build(model::Epoch epoch) {
    for (size_t n = 0; n < documents_.size(); n++) {
      BulkAction& action = actions_.emplace_back();
      action.action = fmt::format(R"({{"create":{{"_index":{},"_id":"{}-{}-{}-{}"}}}})",
                                  JsonQuote(documents_[n].index), owner_, first_version_, epoch, n);
      action.source = documents_[n].text;
      action.row = n;
      rows_.push_back(std::move(documents_[n].text));
    }
    for (const NetChanges::Change& change : changes_.Final()) {
      if (auto bad = bad_changes_.find(std::string(change.key)); bad != bad_changes_.end()) {
        if (change.upsert) refused_.push_back(bad->second);
        continue;
      }
      const size_t split = change.key.find('\0');
      BulkAction& action = actions_.emplace_back();
      action.version = first_version_ + epoch;
      action.action =
          fmt::format(R"({{"{}":{{"_index":{},"_id":{},"version":{},"version_type":"external"}}}})",
                      change.upsert ? "index" : "delete", JsonQuote(change.key.substr(0, split)),
                      JsonQuote(change.key.substr(split + 1)), action.version);
      if (change.upsert) action.source = std::string(change.row);
      action.row = rows_.size();
      rows_.emplace_back(change.row);
    }
  }

  const TableContext table_;
  const bool keeps_rejected_;
  const std::string delimiter_;
  env::Clock& clock_;
  const IndexName index_;
  BulkSender sender_;
  std::unique_ptr<format::Encoder> encoder_;
  std::string owner_;  // of the note
  std::vector<size_t> key_columns_;
  int64_t first_version_ = 0;
  model::Epoch committed_ = 0;
  Rejections rejected_;
  // The epoch's rows: of tables without a key, and with one.
  std::vector<Document> documents_;
  NetChanges changes_;
  std::unordered_map<std::string, RejectedRow> bad_changes_;  // by key; no index can hold them
  std::vector<RejectedRow> refused_;                          // without asking the cluster
  // What is sent of them, kept until all of it is settled.
  bool built_ = false;
  std::vector<BulkAction> actions_;
  std::vector<std::string> rows_;  // as JSON, by BulkAction::row
};

}  // namespace

Result<std::unique_ptr<Sink>> NewElasticsearchSink(const TableContext& table) {
  const Options& options = table.options;
  MR_ASSIGN_OR_RETURN(std::vector<http::HttpSettings> hosts, HostsOf(table));
  MR_ASSIGN_OR_RETURN(IndexName index, IndexName::Parse(options.GetString("index"), table.schema));
  MR_ASSIGN_OR_RETURN(auto encoder, format::NewEncoder("json", table.schema, JsonOptionsOf(table)));
  const BulkLimits limits{
      static_cast<size_t>(std::max<int64_t>(1, options.GetInt("sink.bulk-flush.max-actions"))),
      static_cast<size_t>(std::max<int64_t>(1, options.GetBytes("sink.bulk-flush.max-size")))};
  return std::unique_ptr<Sink>(new ElasticsearchSink(
      table, std::move(index), BulkSender(std::move(hosts), limits), std::move(encoder)));
}

}  // namespace millrace::connectors::elasticsearch
