#include "connectors/print/print.h"

#include <cstdio>
#include <unordered_map>

namespace millrace::connectors::print {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "print";
  spec.summary = "Prints rows, one a line, as Flink does: +I[…], -U[…], +U[…], -D[…].";
  spec.sink = true;
  spec.guarantee = Guarantee::kAtLeastOnce;
  spec.guarantee_doc =
      "A terminal cannot take lines back: after a crash epochs may be printed again.";
  spec.sink_accepts_updates = true;
  spec.updates_need_key = false;
  spec.options = {
      {.name = "print-identifier",
       .doc = "Text before every row, followed by \"> \".",
       .example = "orders"},
      {.name = "standard-error",
       .type = OptionType::kBool,
       .doc = "Whether to print to standard error instead of standard output.",
       .default_value = "false"},
      {.name = "sink.parallelism",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; rows are printed in order by one writer."},
  };
  spec.example = "CREATE TABLE show (\n  name STRING,\n  n BIGINT\n) WITH ('connector' = 'print');";
  return spec;
}

class PrintSink : public Sink {
 public:
  explicit PrintSink(const TableContext& table)
      : stream_(table.options.GetBool("standard-error") ? stderr : stdout) {
    if (std::string id = table.options.GetString("print-identifier"); !id.empty()) {
      prefix_ = id + "> ";
    }
    for (const std::string& name : table.primary_key) {
      if (int column = table.schema.Find(name); column >= 0) {
        key_columns_.push_back(static_cast<size_t>(column));
      }
    }
  }

  Status Open() override { return Status::Ok(); }
  Result<model::Epoch> LastCommitted() override { return model::Epoch{0}; }

  Status Write(const SinkBatch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.rows->size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      std::string text = "[";
      for (size_t c = 0; c < batch.rows->ColumnCount(); c++) {
        const duckdb::Value value = batch.rows->GetValue(c, row);
        text += (c ? ", " : "") + (value.IsNull() ? std::string("null") : value.ToString());
      }
      text += "]";
      std::string key;
      for (size_t c : key_columns_) key += batch.rows->GetValue(c, row).ToString() + '\0';
      for (int32_t i = 0; i < std::abs(weight); i++) lines_.push_back({weight > 0, text, key});
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch) override {
    // A key that loses and gains a row in one epoch was updated.
    std::unordered_map<std::string, std::pair<bool, bool>> changes;  // lost, gained
    for (const Line& line : lines_) {
      auto& change = changes[line.key];
      (line.insert ? change.second : change.first) = true;
    }
    std::string out;
    for (const Line& line : lines_) {
      const auto& change = changes[line.key];
      const bool update = !key_columns_.empty() && change.first && change.second;
      out += prefix_ + (line.insert ? (update ? "+U" : "+I") : (update ? "-U" : "-D")) + line.text +
             "\n";
    }
    if (std::fwrite(out.data(), 1, out.size(), stream_) != out.size() ||
        std::fflush(stream_) != 0) {
      return Status(Code::kIo, "cannot print rows: the output is closed");
    }
    lines_.clear();
    return Status::Ok();
  }

 private:
  struct Line {
    bool insert;
    std::string text;
    std::string key;
  };
  std::FILE* stream_;
  std::string prefix_;
  std::vector<size_t> key_columns_;
  std::vector<Line> lines_;
};

Result<std::unique_ptr<Sink>> NewSink(const TableContext& table) {
  return std::unique_ptr<Sink>(new PrintSink(table));
}

}  // namespace

ConnectorEntry PrintConnector() {
  return {Spec(), nullptr, NewSink};
}

}  // namespace millrace::connectors::print
