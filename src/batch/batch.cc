#include "batch/batch.h"

#include <fmt/format.h>

#include <thread>

#include "base/strings.h"
#include "batch/applied_statements.h"
#include "batch/partition_overwrite.h"
#include "batch/storage.h"
#include "duck/door.h"
#include "duck/extensions.h"
#include "duck/warehouse.h"
#include "env/clock.h"
#include "env/files.h"
#include "model/masking.h"

namespace millrace::batch {

namespace {

using duck::AtTheDoor;
using duck::Warehouse;

std::string Counted(int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// Whether `word` stands in `sql` as a name of its own.
bool Names(std::string_view sql, std::string_view word) {
  auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = sql.find(word); at != std::string::npos; at = sql.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_name(sql[at - 1])) && (end == sql.size() || !is_name(sql[end])))
      return true;
  }
  return false;
}

// What people know a statement by: its first words, without comments and line ends.
std::string Beginning(const std::string& text) {
  constexpr size_t kLength = 90;
  std::string words;
  for (const std::string& line : Split(text, '\n')) {
    const std::string_view part = Trim(line);
    if (part.empty() || part.starts_with("--")) continue;
    if (!words.empty()) words += ' ';
    words += part;
    if (words.size() > kLength) return words.substr(0, kLength) + "…";
  }
  return words;
}

// DuckDB's errors may quote a URL with its password.
Status WithoutSecrets(Status status, const std::vector<std::string>& secrets) {
  if (status.ok()) return status;
  auto shown = [&](std::string text) {
    for (const std::string& secret : secrets) {
      for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
        text.replace(at, secret.size(), model::kMasked);
        at += std::string_view(model::kMasked).size();
      }
    }
    return text;
  };
  return Status(status.code(), shown(status.message()))
      .WithDetail(shown(status.detail()))
      .WithHint(status.hint())
      .WithRetry(status.retry())
      .At(status.span());
}

class Batch {
 public:
  Batch(const std::string& sql, const std::string& path, const Options& options)
      : sql_(sql), path_(path), options_(options) {}

  // Sets the database up: storage, databases, variables.
  Status Open(const Settings& settings) {
    duck::WarehouseOptions warehouse;
    warehouse.threads = settings.threads > 0
                            ? settings.threads
                            : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    warehouse.memory_limit_bytes = settings.memory_limit_bytes;
    MR_ASSIGN_OR_RETURN(warehouse_, Warehouse::Open(":memory:", warehouse));
    connection_ = warehouse_->Connect();
    MR_RETURN_IF_ERROR(duck::UseExtensions(*connection_));
    MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(options_.directory));
    MR_RETURN_IF_ERROR(
        Execute("SET temp_directory = " + QuoteLiteral(options_.directory + "/spill")));
    for (const auto& [name, value] : options_.variables) {
      MR_RETURN_IF_ERROR(
          Execute("SET VARIABLE " + QuoteIdentifier(name) + " = " + QuoteLiteral(value)));
    }
    MR_RETURN_IF_ERROR(UseStorage(*connection_, settings.storage));
    for (const Database& database : settings.databases) {
      if (!Names(sql_, database.name)) continue;
      const std::string options = OptionList(database.options);
      MR_RETURN_IF_ERROR(Execute("ATTACH " + QuoteLiteral(database.url) + " AS " +
                                 QuoteIdentifier(database.name) +
                                 (options.empty() ? "" : " (" + options + ")"))
                             .Annotate("database \"" + database.name + "\""));
    }
    return Status::Ok();
  }

  Status Run(const std::function<void(const Step&)>& report) {
    MR_ASSIGN_OR_RETURN(auto statements, Parse());
    size_t end = 0;  // of the statement before
    for (auto& statement : statements) {
      const std::string text(Trim(statement->query));
      const size_t begin = sql_.find(text, end);
      end = begin + text.size();
      const int64_t started_us = env::Clock::System()->MonotonicMicros();
      auto step = RunOne(std::move(statement), text);
      if (!step.ok()) return At(std::move(step).status(), begin);
      step->statement = Beginning(text);
      step->elapsed_ms =
          static_cast<double>(env::Clock::System()->MonotonicMicros() - started_us) / 1000.0;
      report(*step);
    }
    return Status::Ok();
  }

 private:
  Status Execute(const std::string& sql) {
    return duck::ExplainMissingExtension(Warehouse::Execute(*connection_, sql));
  }

  using Statements = duckdb::vector<duckdb::unique_ptr<duckdb::SQLStatement>>;

  Result<Statements> Parse() const {
    Statements statements;
    Status parsed = AtTheDoor([&] {
      statements = connection_->ExtractStatements(sql_);
      return Status::Ok();
    });
    if (parsed.ok()) return statements;
    // The same once more, for the place; what does not parse is not run.
    return At(Warehouse::QueryOn(*connection_, sql_).status(), 0);
  }

  Result<Step> RunOne(duckdb::unique_ptr<duckdb::SQLStatement> statement, const std::string& text) {
    Step step;
    if (IsPartitionOverwrite(*statement)) {
      MR_ASSIGN_OR_RETURN(Overwritten done, OverwritePartitions(*connection_, std::move(statement),
                                                                options_.directory));
      step.outcome = Counted(done.partitions, "partition") + ", " + Counted(done.rows, "row");
      if (done.removed > 0) step.outcome += fmt::format(", {} removed", done.removed);
      return step;
    }
    MR_ASSIGN_OR_RETURN(const std::string database, ChangedDatabase(*connection_, *statement));
    if (!database.empty()) {
      MR_ASSIGN_OR_RETURN(Applied applied,
                          ApplyOnce(*connection_, database, options_.run, ++applied_, text));
      step.outcome = applied.before ? "done before by run \"" + options_.run + "\""
                                    : Counted(applied.rows, "row");
      return step;
    }
    const bool asks = statement->type == duckdb::StatementType::SELECT_STATEMENT ||
                      statement->type == duckdb::StatementType::EXPLAIN_STATEMENT;
    MR_ASSIGN_OR_RETURN(auto answer, Warehouse::QueryOn(*connection_, text));
    if (asks) {
      step.answer = std::move(answer);
    } else if (answer.row_count() == 1 && answer.columns[0].name == "Count") {
      step.outcome = Counted(answer.Get(0, 0).GetValue<int64_t>(), "row");
    }
    return step;
  }

  // `error` at its place in the file: at byte `at`, or, where it names a line, that many lines on.
  Status At(Status error, size_t at) const {
    const std::string before = sql_.substr(0, at);
    SourceSpan span = error.span();
    span.file = path_;
    if (span.line <= 1) span.column = std::max(span.column, 1) + Column(before) - 1;
    span.line =
        std::max(span.line, 1) + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
    return duck::ExplainMissingExtension(std::move(error).At(span));
  }

  // Of what follows `before`; the first is 1.
  static int Column(const std::string& before) {
    const size_t newline = before.rfind('\n');
    return static_cast<int>(newline == std::string::npos ? before.size() + 1
                                                         : before.size() - newline);
  }

  const std::string& sql_;
  const std::string& path_;
  const Options& options_;
  std::unique_ptr<Warehouse> warehouse_;
  std::unique_ptr<duckdb::Connection> connection_;
  int applied_ = 0;  // statements that change databases, so far
};

}  // namespace

Status RunBatch(const std::string& sql, const std::string& path, const Settings& settings,
                const Options& options, const std::function<void(const Step&)>& report) {
  Batch batch(sql, path, options);
  Status status = batch.Open(settings);
  if (status.ok()) status = batch.Run(report);
  return WithoutSecrets(std::move(status), settings.secrets);
}

}  // namespace millrace::batch
