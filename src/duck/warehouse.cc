#include "duck/warehouse.h"

#include <duckdb/main/prepared_statement.hpp>
#include <duckdb/main/stream_query_result.hpp>
#include <duckdb/parser/statement/explain_statement.hpp>
#include <filesystem>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/remote_files.h"
#include "env/clock.h"

namespace millrace::duck {

namespace {

// Where in the statement DuckDB points: it draws "LINE 2: <text>" and a caret below, where <text>
// may be a part of a long line between "..." and "...".
SourceSpan SpanOf(const std::string& message, const std::string& sql) {
  SourceSpan span;
  const size_t at = message.find("\n\nLINE ");
  if (at == std::string::npos) return span;
  const size_t line_begin = at + 2;
  const size_t line_end = message.find('\n', line_begin);
  const size_t text_begin = message.find(": ", line_begin);
  if (line_end == std::string::npos || text_begin > line_end) return span;
  const size_t caret = message.find('^', line_end);
  if (caret == std::string::npos) return span;
  span.line = std::atoi(message.c_str() + line_begin + 5);
  std::string text = message.substr(text_begin + 2, line_end - text_begin - 2);
  size_t column = caret - line_end - 1 - (text_begin + 2 - line_begin);
  if (text.starts_with("...") && text.size() > 6) {
    const size_t found = sql.find(text.substr(3, text.size() - 6));
    if (found == std::string::npos) return span;
    const size_t newline = sql.rfind('\n', found);
    column += found - (newline == std::string::npos ? 0 : newline + 1) - 3;
  }
  span.column = static_cast<int>(column) + 1;
  return span;
}

Status FromQueryError(const duckdb::ErrorData& error, const std::string& sql) {
  Status status = FromDuckError(error);
  SourceSpan span = SpanOf(error.RawMessage(), sql);
  if (span.line > 0) return std::move(status).At(span);
  return status;
}

Status FromOpenError(const std::string& path, const std::exception& e) {
  duckdb::ErrorData error(e);
  if (error.RawMessage().find("Could not set lock") != std::string::npos) {
    return Status(Code::kFailedPrecondition,
                  "warehouse \"" + path + "\" is open in another process")
        .WithDetail(error.RawMessage())
        .WithHint("stop that process, or ask it over its HTTP port");
  }
  return FromDuckError(error).Annotate("cannot open warehouse \"" + path + "\"");
}

// What a read-only caller may run: statements that answer and change nothing, here or in files.
bool OnlyReads(duckdb::PreparedStatement& prepared) {
  bool kind = false;
  switch (prepared.GetStatementType()) {
    case duckdb::StatementType::SELECT_STATEMENT:
    case duckdb::StatementType::EXPLAIN_STATEMENT:
    case duckdb::StatementType::RELATION_STATEMENT:
      kind = true;
      break;
    default:
      break;
  }
  return kind && prepared.GetStatementProperties().IsReadOnly();
}

Status RefuseWrite() {
  return Status(Code::kFailedPrecondition, "only queries can be run here")
      .WithHint("SELECT, VALUES, DESCRIBE, SHOW and EXPLAIN work; tables are written by jobs");
}

}  // namespace

Result<std::unique_ptr<Warehouse>> Warehouse::Open(const std::string& path,
                                                   const WarehouseOptions& options) {
  const bool in_memory = path.empty() || path == ":memory:";
  try {
    duckdb::DBConfig config;
    // By name, as SET does, so that DuckDB checks the values.
    config.SetOptionByName("threads", duckdb::Value::BIGINT(options.threads));
    config.SetOptionByName("memory_limit",
                           duckdb::Value(std::to_string(options.memory_limit_bytes) + "B"));
    // A process that serves a pipeline must not fetch code from the network by itself.
    config.SetOptionByName("autoinstall_known_extensions", duckdb::Value::BOOLEAN(false));
    config.SetOptionByName("autoload_known_extensions", duckdb::Value::BOOLEAN(false));
    if (options.read_only && !in_memory) {
      config.SetOptionByName("access_mode", duckdb::Value("READ_ONLY"));
    } else if (!in_memory) {
      std::error_code ignored;  // DuckDB says it better when the file cannot be created
      std::filesystem::create_directories(std::filesystem::absolute(path).parent_path(), ignored);
    }
    auto warehouse = std::unique_ptr<Warehouse>(new Warehouse());
    warehouse->path_ = in_memory ? "" : path;
    warehouse->database_ =
        std::make_unique<duckdb::DuckDB>(in_memory ? nullptr : path.c_str(), &config);
    warehouse->writer_ = std::make_unique<duckdb::Connection>(*warehouse->database_);
    if (!options.readable_directories.empty()) {
      std::vector<std::string> quoted;
      for (const std::string& directory : options.readable_directories) {
        const bool remote = directory.find("://") != std::string::npos;
        // Afterwards nothing can be loaded any more.
        if (remote) MR_RETURN_IF_ERROR(LoadRemoteFiles(*warehouse->writer_));
        quoted.push_back(
            QuoteLiteral(remote ? directory : std::filesystem::absolute(directory).string()));
      }
      MR_RETURN_IF_ERROR(Execute(*warehouse->writer_, "SET allowed_directories = [" +
                                                          Join(quoted, ", ") +
                                                          "]; SET enable_external_access = false"));
    }
    return warehouse;
  } catch (const std::exception& e) {
    return FromOpenError(path, e);
  }
}

Warehouse::~Warehouse() {
  writer_.reset();
}

std::unique_ptr<duckdb::Connection> Warehouse::Connect() {
  return std::make_unique<duckdb::Connection>(*database_);
}

duckdb::DatabaseInstance& Warehouse::instance() {
  return *database_->instance;
}

Status Warehouse::InTransaction(const std::function<Status(duckdb::Connection&)>& body) {
  std::lock_guard<std::mutex> lock(write_mutex_);
  return AtTheDoor([&]() -> Status {
    writer_->BeginTransaction();
    Status status = AtTheDoor([&] { return body(*writer_); });
    if (status.ok()) {
      status = AtTheDoor([&] {
        writer_->Commit();
        return Status::Ok();
      });
    }
    // A failed COMMIT has rolled back already.
    if (!status.ok() && writer_->HasActiveTransaction()) writer_->Rollback();
    return status;
  });
}

Result<QueryResult> Warehouse::Query(const std::string& sql, const QueryOptions& options) {
  return AtTheDoor([&]() -> Result<QueryResult> {
    duckdb::Connection connection(*database_);
    return QueryOn(connection, sql, options);
  });
}

Result<QueryResult> Warehouse::QueryOn(duckdb::Connection& connection, const std::string& sql,
                                       const QueryOptions& options) {
  const int64_t started_us = env::Clock::System()->MonotonicMicros();
  QueryResult result;
  try {
    auto statements = connection.ExtractStatements(sql);
    if (statements.empty()) return Status(Code::kInvalidArgument, "the SQL text is empty");
    for (size_t i = 0; i < statements.size(); i++) {
      const bool last = i + 1 == statements.size();
      if (options.read_only && statements[i]->type == duckdb::StatementType::EXPLAIN_STATEMENT &&
          statements[i]->Cast<duckdb::ExplainStatement>().stmt->type !=
              duckdb::StatementType::SELECT_STATEMENT) {
        return RefuseWrite();  // EXPLAIN ANALYZE would carry it out
      }
      auto prepared = connection.Prepare(std::move(statements[i]));
      if (prepared->HasError()) return FromQueryError(prepared->GetErrorObject(), sql);
      if (options.read_only && !OnlyReads(*prepared)) return RefuseWrite();
      duckdb::vector<duckdb::Value> no_values;
      auto pending = prepared->PendingQuery(no_values, last);
      if (pending->HasError()) return FromQueryError(pending->GetErrorObject(), sql);
      auto stream = pending->Execute();
      if (stream->HasError()) return FromQueryError(stream->GetErrorObject(), sql);
      if (!last) continue;
      for (size_t c = 0; c < stream->names.size(); c++) {
        result.columns.push_back({stream->names[c], stream->types[c]});
      }
      result.rows = std::make_unique<duckdb::ColumnDataCollection>(
          duckdb::Allocator::DefaultAllocator(), stream->types);
      const int64_t limit = options.max_rows;
      while (auto chunk = stream->Fetch()) {
        if (chunk->size() == 0) break;
        const int64_t room =
            limit < 0 ? INT64_MAX : limit - static_cast<int64_t>(result.rows->Count());
        if (static_cast<int64_t>(chunk->size()) > room) {
          chunk->SetCardinality(static_cast<duckdb::idx_t>(room));
          if (room > 0) result.rows->Append(*chunk);
          result.truncated = true;
          break;
        }
        result.rows->Append(*chunk);
      }
      if (stream->HasError()) return FromQueryError(stream->GetErrorObject(), sql);
    }
  } catch (const std::exception& e) {
    return FromQueryError(duckdb::ErrorData(e), sql);
  }
  result.elapsed_ms =
      static_cast<double>(env::Clock::System()->MonotonicMicros() - started_us) / 1000.0;
  return result;
}

Status Warehouse::Execute(duckdb::Connection& connection, const std::string& sql) {
  return AtTheDoor([&]() -> Status {
    auto result = connection.Query(sql);
    if (result->HasError()) return FromQueryError(result->GetErrorObject(), sql);
    return Status::Ok();
  });
}

}  // namespace millrace::duck
