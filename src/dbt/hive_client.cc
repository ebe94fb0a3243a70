#include "dbt/hive_client.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

// Numbers of TCLIService.thrift.
constexpr int kProtocolVersion = 5;  // HIVE_CLI_SERVICE_PROTOCOL_V6
constexpr int64_t kFetchedRowsMax = 10'000;
enum StatusCode { kSuccess = 0, kSuccessWithInfo = 1, kStillExecuting = 2 };
enum OperationState { kInitialized = 0, kRunning = 1, kFinished = 2, kCanceled = 3, kPending = 7 };
enum TypeId { kDecimalType = 15 };
// Fields of TColumn, a union by type.
enum ColumnKind { kBools = 1, kBytes, kI16s, kI32s, kI64s, kDoubles, kTexts, kBinaries };

struct KnownError {
  const char* name;  // how the class of the error begins
  Code code;
};
constexpr KnownError kKnownErrors[] = {
    {"PARSE_", Code::kSyntax},
    {"TABLE_OR_VIEW_NOT_FOUND", Code::kUnknownTable},
    {"SCHEMA_NOT_FOUND", Code::kUnknownTable},
    {"UNRESOLVED_COLUMN", Code::kUnknownColumn},
    {"UNRESOLVED_ROUTINE", Code::kUnknownFunction},
    {"DATATYPE_MISMATCH", Code::kType},
};

void WriteOperation(ThriftWriter& to, const ThriftValue& operation) {
  // TOperationHandle: 1 THandleIdentifier {1 guid, 2 secret}, 2 type, 3 hasResultSet
  to.Struct(1).Struct(1);
  to.Bytes(1, operation[1][1].bytes()).Bytes(2, operation[1][2].bytes()).End();
  to.I32(2, operation[2].whole()).Bool(3, operation[3].whole() != 0).End();
}

void WriteSession(ThriftWriter& to, const ThriftValue& session) {
  to.Struct(1).Struct(1);
  to.Bytes(1, session[1][1].bytes()).Bytes(2, session[1][2].bytes()).End().End();
}

// Errors of a call itself; `text` is what its TStatus says.
Status Refused(const ThriftValue& status) {
  std::string text = status[5].bytes();
  if (text.empty() && !status[2].list().empty()) text = status[2].list().front().bytes();
  return HiveError(text, "");
}

Value NumberOf(const std::string& text) {
  if (text.size() < 19 && text.find_first_not_of("-0123456789") == std::string::npos) {
    return Value(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
  }
  return Value(std::strtod(text.c_str(), nullptr));
}

Value CellOf(int kind, bool is_decimal, const ThriftValue& value) {
  switch (kind) {
    case kBools:
      return Value(value.whole() != 0);
    case kDoubles:
      return Value(value.number());
    case kTexts:
    case kBinaries:
      return is_decimal ? NumberOf(value.bytes()) : Value(value.bytes());
    default:
      return Value(value.whole());
  }
}

// Adds a column's cells to `rows` from `first` on: 1 values, 2 a bit per cell that is NULL.
Status AddColumn(const ThriftValue& column, bool is_decimal, size_t first,
                 std::vector<Value>& rows) {
  if (column.fields().size() != 1) {
    return Status(Code::kCorruption, "a column of the answer has no values");
  }
  const auto& [kind, body] = *column.fields().begin();
  const std::string& nulls = body[2].bytes();
  const ThriftValue::List& cells = body[1].list();
  if (rows.size() == first) rows.resize(first + cells.size(), Value(Value::List{}));
  if (rows.size() != first + cells.size()) {
    return Status(Code::kCorruption, "the columns of the answer have different lengths");
  }
  for (size_t i = 0; i < cells.size(); i++) {
    const bool is_null =
        i / 8 < nulls.size() && (static_cast<unsigned char>(nulls[i / 8]) >> (i % 8) & 1) != 0;
    rows[first + i].Append(is_null ? Value() : CellOf(kind, is_decimal, cells[i]));
  }
  return Status::Ok();
}

// "a.b.HiveSQLException: Error running query: [CLASS] c.d.SomeException: [CLASS] text; line 2 pos
// 7;\n 'Project …": what of `text` is behind the names of Java's classes.
std::string WithoutClasses(std::string_view text) {
  const auto class_at = [&](size_t at) {
    const std::string_view word = text.substr(at, text.find_first_of(" \n", at) - at);
    return word.ends_with("Exception:") || word.ends_with("Error:") ? word.size() : 0;
  };
  const std::string_view running = "Error running query:";
  while (true) {
    text = Trim(text);
    const size_t bracket = text.starts_with('[') ? text.find("] ") : std::string_view::npos;
    if (text.starts_with(running)) {
      text.remove_prefix(running.size());
    } else if (bracket != std::string_view::npos && class_at(bracket + 2) > 0) {
      text.remove_prefix(bracket + 2);
    } else if (class_at(0) > 0) {
      text.remove_prefix(class_at(0));
    } else {
      return std::string(text);
    }
  }
}

// Of "; line 2 pos 7" or "(line 2, pos 7)"; 0 where there is none.
int LineNamed(const std::string& said) {
  const std::string mark = "line ";
  for (size_t at = said.rfind(mark); at != std::string::npos && at > 0;
       at = said.rfind(mark, at - 1)) {
    const size_t digits = at + mark.size();
    const size_t end = said.find_first_not_of("0123456789", digits);
    if (end == std::string::npos || end == digits) continue;
    if (said.compare(end, 4, " pos") == 0 || said.compare(end, 5, ", pos") == 0) {
      return std::atoi(said.c_str() + digits);
    }
  }
  return 0;
}

}  // namespace

Status HiveError(const std::string& text, const std::string& statement) {
  std::string said = WithoutClasses(text);
  // Plans and the statement follow.
  for (const char* mark : {"\n\n==", ";\n", "\n\tat ", "\n== "})
    said = said.substr(0, said.find(mark));
  const int line = LineNamed(said);
  Code code = Code::kBind;
  for (const KnownError& known : kKnownErrors) {
    if (said.starts_with(std::string("[") + known.name)) code = known.code;
  }
  if (statement.empty() && code == Code::kBind) code = Code::kUnavailable;
  return Status(code, "Spark: " + (said.empty() ? "the statement failed" : said))
      .At({"", line, 0, 0});
}

HiveClient::~HiveClient() {
  if (session_.is_null() || !transport_.is_open() || interrupted_) return;
  ThriftWriter request = Begin("CloseSession");
  WriteSession(request, session_);
  (void)Call(request, "CloseSession");  // the connection's end closes it, too
}

void HiveClient::Interrupt() {
  interrupted_ = true;
  transport_.Abort();
}

ThriftWriter HiveClient::Begin(const std::string& method) {
  ThriftWriter request;
  request.Call(method, ++calls_).Struct(1);
  return request;
}

// Ends the request, which Begin began, and gives what the server returns: field 0 of the answer.
Result<ThriftValue> HiveClient::Call(ThriftWriter& request, const std::string& method) {
  request.End().End();
  MR_RETURN_IF_ERROR(transport_.Send(request.bytes()));
  auto answer =
      ReadThriftMessage([this](char* to, size_t count) { return transport_.Read(to, count); });
  if (!answer.ok()) {
    transport_.Close();
    return answer.status();
  }
  if (answer->kind != ThriftMessage::kReply || answer->name != method || answer->number != calls_) {
    transport_.Close();
    return Status(Code::kUnavailable, fmt::format("the server does not answer {}: {}", method,
                                                  answer->body[1].bytes()));
  }
  return answer->body[0];
}

Status HiveClient::Open() {
  session_ = {};
  MR_RETURN_IF_ERROR(
      transport_.Connect(settings_.host, settings_.port, settings_.connect_timeout_ms));
  if (settings_.sasl) MR_RETURN_IF_ERROR(transport_.Login(settings_.user, settings_.password));
  ThriftWriter request = Begin("OpenSession");
  request.I32(1, kProtocolVersion).Bytes(2, settings_.user).Bytes(3, settings_.password);
  MR_ASSIGN_OR_RETURN(ThriftValue answer, Call(request, "OpenSession"));
  if (answer[1][1].whole() > kSuccessWithInfo) {
    transport_.Close();
    return Refused(answer[1]);
  }
  session_ = answer[3];
  for (const std::string& statement : settings_.first_statements) {
    Status status = Run(statement).status();
    if (status.ok()) continue;
    transport_.Close();
    return std::move(status).Annotate(statement);
  }
  return Status::Ok();
}

Result<Rows> HiveClient::Ask(const std::string& statement) {
  if (!interrupted_ && !transport_.is_open()) MR_RETURN_IF_ERROR(Open());
  if (!interrupted_) {
    auto answer = Run(statement);
    if (!interrupted_) return answer;
  }
  return Status(Code::kCancelled, "the statement was cancelled");
}

Result<Rows> HiveClient::Run(const std::string& statement) {
  ThriftWriter request = Begin("ExecuteStatement");
  WriteSession(request, session_);
  request.Bytes(2, statement).Bool(4, true);  // asynchronous: the server answers at once
  MR_ASSIGN_OR_RETURN(ThriftValue answer, Call(request, "ExecuteStatement"));
  if (answer[1][1].whole() > kStillExecuting) {
    return HiveError(answer[1][5].bytes(), statement);
  }
  const ThriftValue operation = answer[2];
  Status status = WaitFor(operation, statement);
  Result<Rows> rows = Rows{};
  if (status.ok() && operation[3].whole() != 0) rows = Fetch(operation);
  if (transport_.is_open()) {
    Status closed = Close(operation);
    if (status.ok() && rows.ok() && !closed.ok()) return closed;
  }
  if (!status.ok()) return status;
  return rows;
}

// The server answers when the statement is done, or after some seconds (its
// hive.server2.long.polling.timeout, 5 s unless changed): nothing is slept away here.
Status HiveClient::WaitFor(const ThriftValue& operation, const std::string& statement) {
  while (true) {
    ThriftWriter request = Begin("GetOperationStatus");
    WriteOperation(request, operation);
    MR_ASSIGN_OR_RETURN(ThriftValue answer, Call(request, "GetOperationStatus"));
    if (answer[1][1].whole() > kStillExecuting) return HiveError(answer[1][5].bytes(), statement);
    switch (answer[2].whole()) {
      case kFinished:
        return Status::Ok();
      case kInitialized:
      case kRunning:
      case kPending:
        continue;
      case kCanceled:
        return Status(Code::kCancelled, "Spark: the statement was cancelled at the server");
      default:
        return HiveError(answer[5].bytes(), statement);
    }
  }
}

Result<Rows> HiveClient::Fetch(const ThriftValue& operation) {
  Rows out;
  ThriftWriter asked = Begin("GetResultSetMetadata");
  WriteOperation(asked, operation);
  MR_ASSIGN_OR_RETURN(ThriftValue described, Call(asked, "GetResultSetMetadata"));
  if (described[1][1].whole() > kSuccessWithInfo) return Refused(described[1]);
  std::vector<bool> decimals;
  for (const ThriftValue& column : described[2][1].list()) {
    out.columns.push_back(column[1].bytes());
    const ThriftValue::List& types = column[2][1].list();  // TTypeEntry: 1 {1 TTypeId}
    decimals.push_back(!types.empty() && types.front()[1][1].whole() == kDecimalType);
  }
  while (true) {
    ThriftWriter request = Begin("FetchResults");
    WriteOperation(request, operation);
    request.I32(2, 0).I64(3, kFetchedRowsMax);  // FETCH_NEXT
    MR_ASSIGN_OR_RETURN(ThriftValue answer, Call(request, "FetchResults"));
    if (answer[1][1].whole() > kSuccessWithInfo) return Refused(answer[1]);
    const ThriftValue::List& columns = answer[3][3].list();
    const size_t first = out.rows.size();
    if (columns.empty()) return out;
    if (columns.size() != decimals.size()) {
      return Status(Code::kCorruption, "the answer has other columns than it says");
    }
    for (size_t i = 0; i < columns.size(); i++) {
      MR_RETURN_IF_ERROR(AddColumn(columns[i], decimals[i], first, out.rows));
    }
    // hasMoreRows is false always, so an empty answer is the end.
    if (out.rows.size() == first) return out;
  }
}

Status HiveClient::Close(const ThriftValue& operation) {
  ThriftWriter request = Begin("CloseOperation");
  WriteOperation(request, operation);
  return Call(request, "CloseOperation").status();
}

}  // namespace millrace::dbt
