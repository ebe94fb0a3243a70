// Look-ups in an index: documents by the ids that the sink gives them, all in one request. It sees
// what was written before, whether or not the index was refreshed.
//
// Source: the multi-get API of Elasticsearch 7 and OpenSearch 2 (POST _mget).
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/elasticsearch/bulk_sender.h"
#include "connectors/elasticsearch/cluster.h"
#include "connectors/elasticsearch/elasticsearch.h"
#include "connectors/elasticsearch/index_name.h"
#include "connectors/lookup.h"
#include "format/decoder.h"

namespace millrace::connectors::elasticsearch {

namespace {

class ElasticsearchLookup : public Lookup {
 public:
  // `id_keys`: the columns of the PRIMARY KEY, as indexes into query.keys.
  ElasticsearchLookup(const TableContext& table, const LookupQuery& query,
                      std::vector<size_t> id_keys, IndexName index, BulkSender sender,
                      std::unique_ptr<format::Decoder> decoder)
      : schema_(table.schema),
        query_(query),
        id_keys_(std::move(id_keys)),
        delimiter_(table.options.GetString("document-id.key-delimiter")),
        index_(std::move(index)),
        sender_(std::move(sender)),
        decoder_(std::move(decoder)) {
    for (size_t c : query_.columns) types_.push_back(schema_.columns[c].type);
    if (types_.empty()) types_.push_back(schema_.columns[0].type);  // as the decoder
  }

  Status Open() override { return Status::Ok(); }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    std::vector<uint32_t> asked;  // key, by document
    const std::string question = Question(keys, asked);
    if (asked.empty()) return Status::Ok();
    MR_ASSIGN_OR_RETURN(const http::HttpAnswer answer,
                        sender_.Ask({.method = "POST", .path = "/_mget", .body = question}, {}));
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    simdjson::dom::array documents;
    if (parser.parse(answer.body).get(root) || root["docs"].get(documents) ||
        documents.size() != asked.size()) {
      return Status(Code::kUnavailable, "the cluster's answer to _mget cannot be read")
          .WithDetail(http::ShownAnswer(answer.body))
          .WithRetry(Retry::kBackoff);
    }
    size_t place = 0;
    for (simdjson::dom::element document : documents) {
      const uint32_t key = asked[place++];
      simdjson::dom::element source;
      if (!document["_source"].get(source)) {
        Decode(key, simdjson::minify(source), out);
      } else if (std::string_view why;
                 !document["error"]["type"].get(why) && why != "index_not_found_exception") {
        out.OnBad(key, std::string(why));
      }
    }
    return Status::Ok();
  }

 private:
  std::string Question(duckdb::DataChunk& keys, std::vector<uint32_t>& asked) const {
    // The index may be named by columns of the key; the others are NULL here.
    duckdb::vector<duckdb::LogicalType> types;
    for (const model::Column& column : schema_.columns) types.push_back(column.type);
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    for (auto& column : rows.data) {
      column.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
      duckdb::ConstantVector::SetNull(column, true);
    }
    for (size_t k = 0; k < query_.keys.size(); k++) {
      rows.data[query_.keys[k]].Reference(keys.data[k]);
    }
    rows.SetCardinality(keys.size());
    std::vector<std::string> documents;
    for (uint32_t row = 0; row < keys.size(); row++) {
      std::string index, id;
      size_t unknown = 0;
      if (!index_.Append(rows, row, index, unknown)) continue;
      for (size_t i = 0; i < id_keys_.size(); i++) {
        if (i) id += delimiter_;
        id += keys.GetValue(id_keys_[i], row).ToString();
      }
      documents.push_back(
          fmt::format(R"({{"_index":{},"_id":{}}})", JsonQuote(index), JsonQuote(id)));
      asked.push_back(row);
    }
    return "{\"docs\":[" + Join(documents, ",") + "]}";
  }

  void Decode(uint32_t key, std::string document, LookupOutput& out) {
    const size_t size = document.size();
    document.append(model::kRecordPadding, '\0');
    model::Record record;
    record.value = std::string_view(document).substr(0, size);
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
    std::vector<uint32_t> row_record;
    std::vector<model::RowError> errors;
    decoder_->Decode({&record, 1}, rows, row_record, errors);
    if (!errors.empty()) {
      out.OnBad(key, errors[0].message);
      return;
    }
    duckdb::DataChunk none;
    none.SetCardinality(rows.size());
    out.OnRows(query_.columns.empty() ? none : rows, std::vector<uint32_t>(rows.size(), key));
  }

  const model::Schema schema_;
  const LookupQuery query_;
  const std::vector<size_t> id_keys_;
  const std::string delimiter_;
  const IndexName index_;
  BulkSender sender_;
  std::unique_ptr<format::Decoder> decoder_;
  duckdb::vector<duckdb::LogicalType> types_;
};

}  // namespace

Result<std::unique_ptr<Lookup>> NewElasticsearchLookup(const TableContext& table,
                                                       const LookupQuery& query) {
  std::vector<size_t> id_keys;
  for (const std::string& name : table.primary_key) {
    const auto column = static_cast<size_t>(table.schema.Find(name));
    auto at = std::find(query.keys.begin(), query.keys.end(), column);
    if (at != query.keys.end()) id_keys.push_back(static_cast<size_t>(at - query.keys.begin()));
  }
  if (id_keys.empty() || id_keys.size() != table.primary_key.size() ||
      id_keys.size() != query.keys.size()) {
    return Status(Code::kUnsupported, "table \"" + table.name +
                                          "\" is an index: documents are found by their id, the "
                                          "PRIMARY KEY, and nothing else")
        .WithHint(table.primary_key.empty()
                      ? "declare PRIMARY KEY (…) NOT ENFORCED"
                      : "compare " + Join(table.primary_key, ", ") +
                            " for equality, and put other conditions into WHERE");
  }
  MR_ASSIGN_OR_RETURN(std::vector<http::HttpSettings> hosts, HostsOf(table));
  for (http::HttpSettings& host : hosts) {
    host.timeout_ms = table.options.GetMicros("lookup.timeout") / 1000;
  }
  MR_ASSIGN_OR_RETURN(IndexName index,
                      IndexName::Parse(table.options.GetString("index"), table.schema));
  for (size_t c : index.columns()) {
    if (std::find(query.keys.begin(), query.keys.end(), c) != query.keys.end()) continue;
    return Status(Code::kUnsupported,
                  "the index of table \"" + table.name + "\" is named by column \"" +
                      table.schema.columns[c].name + "\", which a look-up does not know")
        .WithHint("only columns of the PRIMARY KEY can name an index that is looked up in");
  }
  format::DecoderOptions documents;
  documents.format = "json";
  documents.schema = table.schema;
  documents.projection = query.columns;
  if (query.columns.empty()) documents.projection.push_back(0);  // whether it is there
  documents.options = JsonOptionsOf(table);
  MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(documents));
  return std::unique_ptr<Lookup>(
      new ElasticsearchLookup(table, query, std::move(id_keys), std::move(index),
                              BulkSender(std::move(hosts), {}), std::move(decoder)));
}

}  // namespace millrace::connectors::elasticsearch
