#include "connectors/datagen/datagen_source.h"

#include <algorithm>
#include <condition_variable>
#include <duckdb/common/types/timestamp.hpp>
#include <mutex>

#include "connectors/datagen/field_generator.h"
#include "env/clock.h"

namespace millrace::connectors::datagen {

namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kForEver = INT64_MAX;

class DatagenSource : public Source {
 public:
  DatagenSource(const TableContext& table, std::vector<FieldGenerator> fields, int64_t rate,
                int64_t rows, int64_t start_time_us)
      : clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        fields_(std::move(fields)),
        rate_(rate),
        rows_(rows),
        start_time_us_(start_time_us) {}

  Status Open(const std::vector<size_t>& projection) override {
    projection_ = projection;
    for (size_t c : projection_) types_.push_back(fields_[c].type);
    return Status::Ok();
  }

  Result<std::vector<Split>> Splits() override {
    return std::vector<Split>{{Endless() ? "rate-" + std::to_string(rate_) : "0"}};
  }

  Result<model::Offset> Start(const Split&) override {
    return Endless() ? RowAt(clock_.WallMicros()) : 0;
  }

  Result<Ready> Poll(const Split&, model::Offset from, int64_t budget_bytes) override {
    if (from >= rows_) return Ready{.to = from, .end = true, .behind = 0};
    int64_t available = rows_;
    if (rate_ > 0 && Endless()) {
      available = RowAt(clock_.WallMicros());
    } else if (rate_ > 0) {
      // Paced from where this process began to read.
      const int64_t now = clock_.MonotonicMicros();
      if (base_row_ < 0) {
        base_row_ = from;
        base_us_ = now;
      }
      available = std::min(rows_, base_row_ + MulDiv(now - base_us_, rate_));
    }
    Ready ready{.to = from, .end = false, .behind = 0};
    if (available <= from) return ready;
    const int64_t budget_rows = std::max<int64_t>(1, budget_bytes / RowBytes());
    ready.to = from + std::min(available - from, budget_rows);
    ready.end = ready.to == rows_;
    ready.behind = available - ready.to;
    return ready;
  }

  Status Read(const Split&, model::Offset from, model::Offset to, SourceOutput& out) override {
    std::vector<model::Offset> offsets;
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
    while (from < to) {
      chunk.Reset();
      const auto count = std::min<int64_t>(to - from, STANDARD_VECTOR_SIZE);
      offsets.resize(static_cast<size_t>(count));
      for (int64_t i = 0; i < count; i++) offsets[static_cast<size_t>(i)] = from + i;
      for (size_t c = 0; c < projection_.size(); c++) {
        const FieldGenerator& field = fields_[projection_[c]];
        for (int64_t i = 0; i < count; i++) {
          field.Fill(from + i, TimeOf(from + i), chunk.data[c], static_cast<duckdb::idx_t>(i));
        }
      }
      chunk.SetCardinality(static_cast<duckdb::idx_t>(count));
      out.OnRows(chunk, offsets);
      from += count;
    }
    return Status::Ok();
  }

  void Wait(int64_t deadline_monotonic_us) override {
    const int64_t left = deadline_monotonic_us - clock_.MonotonicMicros();
    if (left <= 0) return;
    // The next row comes after 1/rate, but no job needs to look more often than every millisecond.
    const int64_t gap = rate_ > 0 ? std::max<int64_t>(1000, kMicrosPerSecond / rate_) : 1000;
    std::unique_lock<std::mutex> lock(mutex_);
    interrupt_.wait_for(lock, std::chrono::microseconds(std::min(left, gap)),
                        [&] { return interrupted_; });
    interrupted_ = false;
  }

  void Interrupt() override {
    std::lock_guard<std::mutex> lock(mutex_);
    interrupted_ = true;
    interrupt_.notify_all();
  }

 private:
  bool Endless() const { return rows_ == kForEver; }
  // micros * rate / 1e6 without overflow for any moment and rate.
  static int64_t MulDiv(int64_t micros, int64_t rate) {
    return micros / kMicrosPerSecond * rate + micros % kMicrosPerSecond * rate / kMicrosPerSecond;
  }
  int64_t RowAt(int64_t wall_us) const { return MulDiv(wall_us, rate_); }
  int64_t TimeOf(int64_t row) const {
    if (rate_ == 0) return start_time_us_;
    const int64_t since = row / rate_ * kMicrosPerSecond + row % rate_ * kMicrosPerSecond / rate_;
    return Endless() ? since : start_time_us_ + since;
  }
  int64_t RowBytes() const {
    int64_t bytes = 1;
    for (size_t c : projection_) {
      const bool text = fields_[c].type.id() == duckdb::LogicalTypeId::VARCHAR;
      bytes += text && fields_[c].values.empty() ? fields_[c].length : 8;
    }
    return bytes;
  }

  env::Clock& clock_;
  const std::vector<FieldGenerator> fields_;  // of every column of the table
  const int64_t rate_;                        // rows a second; 0: no pacing
  const int64_t rows_;                        // kForEver: endless
  const int64_t start_time_us_;
  std::vector<size_t> projection_;
  duckdb::vector<duckdb::LogicalType> types_;
  int64_t base_row_ = -1;
  int64_t base_us_ = 0;
  std::mutex mutex_;
  std::condition_variable interrupt_;
  bool interrupted_ = false;
};

}  // namespace

Result<std::unique_ptr<Source>> NewDatagenSource(const TableContext& table) {
  const Options& options = table.options;
  const int64_t rate = options.GetInt("rows-per-second");
  int64_t rows = options.Has("number-of-rows") ? options.GetInt("number-of-rows") : kForEver;
  std::vector<FieldGenerator> fields;
  for (const model::Column& column : table.schema.columns) {
    MR_ASSIGN_OR_RETURN(auto field, FieldGenerator::New(table, column));
    if (field.sequence) rows = std::min(rows, field.end - field.start + 1);
    fields.push_back(std::move(field));
  }
  const std::string where = "table \"" + table.name + "\": ";
  for (const auto& [name, value] : options.raw()) {
    if (!name.starts_with("fields.")) continue;
    const std::string column = name.substr(7, name.rfind('.') - 7);
    if (table.schema.Find(column) < 0) {
      return Status(Code::kUnknownColumn, where + "option \"" + name + "\" is for the column \"" +
                                              column + "\", which does not exist");
    }
  }
  if (rows < 0) return Status(Code::kBadOption, where + "\"number-of-rows\" is negative");
  if (rate < 0 || rate > 1'000'000'000) {
    return Status(Code::kBadOption, where + "\"rows-per-second\" must be between 0 and 1000000000");
  }
  if (rate == 0 && rows == kForEver) {
    return Status(Code::kBadOption, where + "\"rows-per-second\" = 0 needs \"number-of-rows\"");
  }
  duckdb::timestamp_t start;
  const std::string text = options.GetString("start-time");
  try {
    start = duckdb::Timestamp::FromString(text, false);
  } catch (const std::exception&) {
    return Status(Code::kBadOption, where + "\"start-time\" is \"" + text + "\", not a timestamp")
        .WithHint("for example '2024-01-01 00:00:00'");
  }
  return std::unique_ptr<Source>(
      new DatagenSource(table, std::move(fields), rate, rows, start.value));
}

}  // namespace millrace::connectors::datagen
