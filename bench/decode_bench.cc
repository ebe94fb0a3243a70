// How fast JSON page views of about 300 bytes become DuckDB vectors, and typed rows JSON again;
// beside DuckDB's own JSON reader over the same data in the same run, on one thread.
//
//   decode_bench [events [case]]     default 1,000,000; only cases whose name contains the text
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <duckdb.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "format/decoder.h"
#include "format/encoder.h"

namespace millrace {
namespace {

using duckdb::LogicalType;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Events {
  std::string bytes;  // JSON lines, padded at the end
  std::vector<model::Record> records;
};

Events MakeEvents(size_t count) {
  static constexpr const char* kCountries[] = {"US", "DE", "GB", "FR", "JP", "BR", "IN"};
  static constexpr const char* kDevices[] = {"mobile", "desktop", "tablet"};
  std::mt19937_64 random(42);
  Events events;
  std::vector<size_t> ends;
  for (size_t i = 0; i < count; i++) {
    const uint64_t r = random();
    const uint64_t ms = 1700000000000 + i * 3;
    events.bytes += fmt::format(
        R"({{"event_id":"{:016x}-{:08x}","user_id":{},"session_id":"s-{:012x}",)"
        R"("page_url":"https://shop.example.com/products/{}/item-{}?ref=home","event_time":)"
        R"("2023-11-{:02} {:02}:{:02}:{:02}.{:03}","country":"{}","device":"{}",)"
        R"("duration_ms":{},"price":{}.{:02},"referrer":"https://www.google.com/search?q=shoes"}})",
        r, i, r % 1000000, r >> 16 & 0xFFFFFFFFFFFF, r % 977, r % 10007, 14 + ms / 86400000 % 10,
        ms / 3600000 % 24, ms / 60000 % 60, ms / 1000 % 60, ms % 1000, kCountries[r % 7],
        kDevices[r % 3], r % 30000, r % 500, r % 100);
    ends.push_back(events.bytes.size());
    events.bytes += '\n';
  }
  events.bytes.append(model::kRecordPadding, '\0');
  size_t start = 0;
  for (size_t end : ends) {
    model::Record record;
    record.value = std::string_view(events.bytes).substr(start, end - start);
    events.records.push_back(record);
    start = end + 1;
  }
  return events;
}

model::Schema PageViews() {
  return {{{"event_id", LogicalType::VARCHAR},
           {"user_id", LogicalType::BIGINT},
           {"session_id", LogicalType::VARCHAR},
           {"page_url", LogicalType::VARCHAR},
           {"event_time", LogicalType::TIMESTAMP},
           {"country", LogicalType::VARCHAR},
           {"device", LogicalType::VARCHAR},
           {"duration_ms", LogicalType::INTEGER},
           {"price", LogicalType::DECIMAL(10, 2)},
           {"referrer", LogicalType::VARCHAR}}};
}

std::string only_case;  // NOLINT: set once, by main

// Runs `body` three times and prints the quickest.
void Report(const std::string& name, size_t events, const std::function<size_t()>& body) {
  if (name.find(only_case) == std::string::npos) return;
  double cpu = 1e9;
  double wall = 1e9;
  for (int i = 0; i < 3; i++) {
    const double cpu_start = CpuSeconds();
    const auto start = std::chrono::steady_clock::now();
    const size_t rows = body();
    wall = std::min(
        wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    cpu = std::min(cpu, CpuSeconds() - cpu_start);
    if (rows != events) {
      fmt::print(stderr, "{}: {} rows of {} events\n", name, rows, events);
      std::exit(1);
    }
  }
  const double millions = static_cast<double>(events) / 1e6;
  fmt::print("{:<34} {:>10.0f} events/s   {:.3f} CPU s per M\n", name,
             static_cast<double>(events) / wall, cpu / millions);
}

size_t Decode(const Events& events, const std::vector<std::string>& columns) {
  format::DecoderOptions options{"json", PageViews(), {}, {}};
  duckdb::vector<LogicalType> types;
  for (const std::string& column : columns) {
    const size_t i = static_cast<size_t>(options.schema.Find(column));
    options.projection.push_back(i);
    types.push_back(options.schema.columns[i].type);
  }
  auto decoder = *format::NewDecoder(options);
  duckdb::DataChunk chunk;
  chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;
  size_t total = 0;
  for (size_t i = 0; i < events.records.size(); i += STANDARD_VECTOR_SIZE) {
    const size_t n = std::min<size_t>(STANDARD_VECTOR_SIZE, events.records.size() - i);
    chunk.Reset();
    decoder->Decode({events.records.data() + i, n}, chunk, rows, errors);
    total += rows.size();
  }
  return total;
}

size_t Encode(const Events& events) {
  format::DecoderOptions options{"json", PageViews(), {}, {}};
  for (size_t i = 0; i < options.schema.size(); i++) options.projection.push_back(i);
  auto decoder = *format::NewDecoder(options);
  auto encoder = *format::NewEncoder("json", options.schema, {});
  duckdb::DataChunk chunk;
  chunk.Initialize(duckdb::Allocator::DefaultAllocator(), options.schema.Types());
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;
  const size_t n = std::min<size_t>(STANDARD_VECTOR_SIZE, events.records.size());
  decoder->Decode({events.records.data(), n}, chunk, rows, errors);
  std::string out;
  std::vector<size_t> ends;
  size_t total = 0;
  while (total < events.records.size()) {
    out.clear();
    ends.clear();
    encoder->EncodeChunk(chunk, "\n", out, ends);
    total += std::min(ends.size(), events.records.size() - total);
  }
  return total;
}

size_t DuckDb(duckdb::Connection& connection, const std::string& sql) {
  auto result = connection.SendQuery(sql);
  if (result->HasError()) {
    fmt::print(stderr, "{}\n", result->GetError());
    std::exit(1);
  }
  size_t total = 0;
  while (auto chunk = result->Fetch()) {
    if (chunk->size() == 0) break;
    total += chunk->size();
  }
  return total;
}

void Run(size_t count) {
  const Events events = MakeEvents(count);
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("decode_bench_{}.jsonl", getpid());
  std::ofstream(path, std::ios::binary)
      .write(events.bytes.data(),
             static_cast<std::streamsize>(events.bytes.size() - model::kRecordPadding));
  fmt::print("{} events of {} bytes, one thread\n", count, events.bytes.size() / count);

  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  (void)connection.Query("SET threads = 1");
  (void)connection.Query("SET preserve_insertion_order = true");

  std::vector<std::string> all = PageViews().Names();
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"all columns", all},
      {"2 columns (user_id, event_time)", {"user_id", "event_time"}},
      {"1 column (country)", {"country"}},
      {"no column", {}},
  };
  for (const auto& [name, columns] : cases) {
    Report("millrace " + name, count, [&] { return Decode(events, columns); });
  }
  Report("millrace encode", count, [&] { return Encode(events); });
  for (const auto& [name, columns] : cases) {
    if (columns.empty()) continue;
    std::string list;
    for (const std::string& column : columns) list += (list.empty() ? "" : ", ") + column;
    Report("duckdb " + name, count, [&] {
      return DuckDb(connection,
                    fmt::format("SELECT {} FROM read_json_auto('{}')", list, path.string()));
    });
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc > 2) millrace::only_case = argv[2];
  millrace::Run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000);
  return 0;
}
