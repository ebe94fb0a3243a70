#include "project/recording_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace millrace::project {

namespace {

class RecordingSink : public connectors::Sink {
 public:
  RecordingSink(const connectors::TableContext& table, std::unique_ptr<connectors::Sink> inner,
                Recording& recording)
      : inner_(std::move(inner)), recording_(recording) {
    recording_.schema = table.schema;
    recording_.primary_key = table.primary_key;
  }

  Status Open() override { return inner_ ? inner_->Open() : Status::Ok(); }

  Result<model::Epoch> LastCommitted() override {
    if (!inner_) return recording_.epoch;
    return inner_->LastCommitted();
  }

  Status Write(const connectors::SinkBatch& batch) override {
    for (duckdb::idx_t r = 0; r < batch.rows->size(); r++) {
      Recording::Change change;
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        change.row.push_back(TextOf(batch.rows->GetValue(c, r)));
      }
      const int weight = batch.weights ? (*batch.weights)[r] : 1;
      change.weight = weight < 0 ? -1 : 1;
      for (int i = 0; i < std::abs(weight); i++) pending_.push_back(change);
    }
    return inner_ ? inner_->Write(batch) : Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (inner_) MR_RETURN_IF_ERROR(inner_->Commit(epoch));
    recording_.changes.insert(recording_.changes.end(), pending_.begin(), pending_.end());
    recording_.epoch = epoch;
    pending_.clear();
    return Status::Ok();
  }

 private:
  std::unique_ptr<connectors::Sink> inner_;
  Recording& recording_;
  std::vector<Recording::Change> pending_;
};

}  // namespace

CellText TextOf(const duckdb::Value& value) {
  if (value.IsNull()) return std::nullopt;
  const auto type = value.type().id();
  // Sums of doubles depend on the order of the rows in their last digits.
  if (type == duckdb::LogicalTypeId::DOUBLE || type == duckdb::LogicalTypeId::FLOAT) {
    return fmt::format("{:.12g}", value.GetValue<double>());
  }
  return value.ToString();
}

std::vector<std::vector<CellText>> Recording::Rows() const {
  std::vector<size_t> key;
  for (const std::string& name : primary_key) {
    key.push_back(static_cast<size_t>(schema.Find(name)));
  }
  std::map<std::vector<CellText>, std::vector<std::vector<CellText>>> rows;  // by key
  for (const Change& change : changes) {
    std::vector<CellText> of;
    for (size_t c : key) of.push_back(change.row[c]);
    auto& there = rows[key.empty() ? change.row : of];
    if (change.weight > 0) {
      if (!key.empty()) there.clear();
      there.push_back(change.row);
    } else if (auto found = std::find(there.begin(), there.end(), change.row);
               found != there.end()) {
      there.erase(found);
    }
  }
  std::vector<std::vector<CellText>> all;
  for (auto& [of, there] : rows) all.insert(all.end(), there.begin(), there.end());
  return all;
}

std::unique_ptr<connectors::Sink> NewRecordingSink(const connectors::TableContext& table,
                                                   std::unique_ptr<connectors::Sink> inner,
                                                   Recording& recording) {
  return std::make_unique<RecordingSink>(table, std::move(inner), recording);
}

}  // namespace millrace::project
