// Writes Nexmark events as JSON lines, and on request the same as Parquet (generator.h says which).
//
//   nexmark_gen --out DIR [--events N] [--first N] [--files N] [--seed N] [--rate N]
//               [--out-of-order N] [--parquet]
//
// Event i goes to DIR/part-(i / 7 % files).jsonl, so each file is in the order of the stream.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <duckdb.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "generator.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr int64_t kRun = 7;  // events in a row that go to one file

// What the JSON's fields are, for DuckDB's reader.
constexpr const char* kColumns =
    "{event_type: 'INTEGER', "
    "person: 'STRUCT(id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, "
    "city VARCHAR, state VARCHAR, dateTime TIMESTAMP, extra VARCHAR)', "
    "auction: 'STRUCT(id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, "
    "reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, "
    "extra VARCHAR)', "
    "bid: 'STRUCT(auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, "
    "dateTime TIMESTAMP, extra VARCHAR)'}";

struct Options {
  nexmark::GeneratorOptions generator;
  int64_t events = 1'000'000;
  int64_t first = 0;
  int64_t files = 2;
  std::string directory;
  bool parquet = false;

  std::string Path(int64_t file, const char* ending) const {
    return fmt::format("{}/part-{}.{}", directory, file, ending);
  }
};

// A file that is written through one large buffer. Ends the program when it cannot be written.
class Part {
 public:
  explicit Part(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
    if (file_ == nullptr) Fail();
    buffer.reserve(kBufferBytes + 4096);
  }
  Part(Part&& other) noexcept
      : buffer(std::move(other.buffer)),
        path_(std::move(other.path_)),
        file_(std::exchange(other.file_, nullptr)) {}

  void Flush() {
    if (std::fwrite(buffer.data(), 1, buffer.size(), file_) != buffer.size()) Fail();
    bytes += buffer.size();
    buffer.clear();
  }
  void Close() {
    Flush();
    if (std::fclose(file_) != 0) Fail();
  }

  std::string buffer;
  size_t bytes = 0;

 private:
  [[noreturn]] void Fail() const {
    fmt::print(stderr, "cannot write \"{}\": {}\n", path_, std::strerror(errno));
    std::exit(1);
  }

  std::string path_;
  std::FILE* file_;
};

size_t WriteJson(const Options& options) {
  const nexmark::Generator generator(options.generator);
  std::vector<Part> parts;
  for (int64_t i = 0; i < options.files; i++) parts.emplace_back(options.Path(i, "jsonl"));
  for (int64_t i = options.first; i < options.first + options.events; i++) {
    Part& part = parts[static_cast<size_t>(i / kRun % options.files)];
    generator.Append(i, part.buffer);
    if (part.buffer.size() >= kBufferBytes) part.Flush();
  }
  size_t bytes = 0;
  for (Part& part : parts) {
    part.Close();
    bytes += part.bytes;
  }
  return bytes;
}

void WriteParquet(const Options& options) {
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  for (int64_t i = 0; i < options.files; i++) {
    auto result = connection.Query(fmt::format(
        "COPY (SELECT * FROM read_json('{}', format = 'newline_delimited', columns = {})) TO '{}' "
        "(FORMAT parquet)",
        options.Path(i, "jsonl"), kColumns, options.Path(i, "parquet")));
    if (!result->HasError()) continue;
    fmt::print(stderr, "cannot make Parquet of \"{}\": {}\n", options.Path(i, "jsonl"),
               result->GetError());
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Writes Nexmark events as JSON lines");
  app.add_option("--out", options.directory, "directory, made if need be")->required();
  app.add_option("--events", options.events, "how many")->check(CLI::NonNegativeNumber);
  app.add_option("--first", options.first, "number of the first")->check(CLI::NonNegativeNumber);
  app.add_option("--files", options.files, "how many files")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.generator.seed, "another seed, another stream");
  app.add_option("--rate", options.generator.events_per_second, "events per second of event time")
      ->check(CLI::PositiveNumber);
  app.add_option("--out-of-order", options.generator.out_of_order_group,
                 "shuffle the events within groups of this many")
      ->check(CLI::PositiveNumber);
  app.add_flag("--parquet", options.parquet, "write part-N.parquet as well");
  CLI11_PARSE(app, argc, argv);

  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    fmt::print(stderr, "cannot make \"{}\": {}\n", options.directory, error.message());
    return 1;
  }
  const size_t bytes = WriteJson(options);
  fmt::print("{} events, {} bytes, in {} files in {}\n", options.events, bytes, options.files,
             options.directory);
  if (options.parquet) WriteParquet(options);
  return 0;
}
