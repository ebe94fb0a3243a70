#include "connectors/jdbc/postgres_client.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "model/masking.h"

namespace millrace::connectors::jdbc {

namespace {

std::string PercentDecode(std::string_view text) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// JDBC's names of what libpq can do too.
const std::vector<std::pair<std::string, std::string>>& KnownParameters() {
  static const std::vector<std::pair<std::string, std::string>> kKnown = {
      {"user", "user"},
      {"password", "password"},
      {"sslmode", "sslmode"},
      {"sslrootcert", "sslrootcert"},
      {"sslcert", "sslcert"},
      {"sslkey", "sslkey"},
      {"connectTimeout", "connect_timeout"},
      {"ApplicationName", "application_name"},
      {"options", "options"}};
  return kKnown;
}

// JDBC's switches that make no difference here.
bool MayBeIgnored(const std::string& name) {
  static const char* const kIgnored[] = {"reWriteBatchedInserts", "stringtype",
                                         "socketTimeout",         "tcpKeepAlive",
                                         "loginTimeout",          "prepareThreshold"};
  return std::find(std::begin(kIgnored), std::end(kIgnored), name) != std::end(kIgnored);
}

void Set(ConnectionSettings& settings, const std::string& name, const std::string& value) {
  for (auto& [known, old] : settings.parameters) {
    if (known == name) {
      old = value;
      return;
    }
  }
  settings.parameters.emplace_back(name, value);
}

Status SetUrlParameter(ConnectionSettings& settings, const std::string& name,
                       const std::string& value) {
  if (name == "currentSchema") {
    Set(settings, "options", "-csearch_path=" + value);
    return Status::Ok();
  }
  if (name == "ssl") {
    if (EqualsIgnoreCase(value, "true")) Set(settings, "sslmode", "require");
    return Status::Ok();
  }
  if (MayBeIgnored(name)) return Status::Ok();
  std::vector<std::string> names = {"currentSchema", "ssl"};
  for (const auto& [jdbc, libpq] : KnownParameters()) {
    if (jdbc == name) {
      Set(settings, libpq, value);
      return Status::Ok();
    }
    names.push_back(jdbc);
  }
  return Status(Code::kBadOption,
                "option \"url\" has the parameter \"" + name + "\", which is not known")
      .WithHint(DidYouMean(name, names));
}

// Of the `position`th character, from 1.
SourceSpan PlaceOf(const std::string& sql, int position) {
  SourceSpan place{"", 1, 1, 0};
  for (char c : sql) {
    if ((c & 0xC0) == 0x80) continue;  // within a UTF-8 character
    if (--position == 0) break;
    place.column = c == '\n' ? 1 : place.column + 1;
    place.line += c == '\n' ? 1 : 0;
  }
  return place;
}

std::string FirstLine(const char* text) {
  std::string line(text ? text : "");
  line.resize(std::min(line.find('\n'), line.size()));
  return line;
}

std::string LowerFirst(std::string text) {
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') text[0] += 32;
  return text;
}

}  // namespace

Result<ConnectionSettings> ParseJdbcUrl(const std::string& url, const std::string& user,
                                        const std::string& password, int64_t connect_timeout_us) {
  constexpr std::string_view kPrefix = "jdbc:postgresql:";
  if (!url.starts_with("jdbc:")) {
    return Status(Code::kBadOption,
                  "option \"url\" is \"" + model::MaskUrls(url) + "\", which is not a JDBC url")
        .WithHint("for example 'jdbc:postgresql://localhost:5432/metrics'");
  }
  if (!url.starts_with(kPrefix)) {
    const std::string kind = url.substr(5, url.find(':', 5) - 5);
    return Status(Code::kUnsupported, "the database \"" + kind + "\" cannot be written yet")
        .WithHint("\"postgresql\" can");
  }
  std::string rest = url.substr(kPrefix.size());
  std::string query;
  if (size_t mark = rest.find('?'); mark != std::string::npos) {
    query = rest.substr(mark + 1);
    rest.resize(mark);
  }
  std::string address, database = rest;
  if (rest.starts_with("//")) {
    const size_t slash = rest.find('/', 2);
    address = rest.substr(2, slash == std::string::npos ? std::string::npos : slash - 2);
    database = slash == std::string::npos ? "" : rest.substr(slash + 1);
  }
  std::vector<std::string> hosts, ports;
  for (const std::string& one : Split(address, ',')) {
    const size_t colon = one.rfind(':');
    const bool has_port = colon != std::string::npos && one.find(']', colon) == std::string::npos;
    std::string host = has_port ? one.substr(0, colon) : one;
    if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
    const std::string port = has_port ? one.substr(colon + 1) : "5432";
    if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos) {
      return Status(Code::kBadOption,
                    "option \"url\" has the port \"" + port + "\", which is not a number");
    }
    hosts.push_back(host.empty() ? "localhost" : host);
    ports.push_back(port);
  }
  ConnectionSettings settings;
  Set(settings, "host", Join(hosts, ","));
  Set(settings, "port", Join(ports, ","));
  Set(settings, "application_name", "millrace");
  Set(settings, "connect_timeout",
      std::to_string(std::clamp<int64_t>(connect_timeout_us / 1'000'000, 2, 3600)));
  // A peer that vanished without a word is noticed within about 20 s.
  Set(settings, "keepalives_idle", "5");
  Set(settings, "keepalives_interval", "5");
  Set(settings, "keepalives_count", "3");
  Set(settings, "tcp_user_timeout", "20000");
  database = PercentDecode(database);
  if (!database.empty()) Set(settings, "dbname", database);
  for (const std::string& pair : Split(query, '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const std::string value = equals == std::string::npos ? "" : pair.substr(equals + 1);
    MR_RETURN_IF_ERROR(
        SetUrlParameter(settings, PercentDecode(pair.substr(0, equals)), PercentDecode(value)));
  }
  if (!user.empty()) Set(settings, "user", user);
  if (!password.empty()) Set(settings, "password", password);
  settings.shown = hosts[0] + ":" + ports[0] + "/" + database;
  return settings;
}

void PostgresClient::Cancel() {
  std::lock_guard<std::mutex> lock(cancel_mutex_);
  char why[256];
  // A request that fails finds a server that is gone, and with it the command.
  if (cancel_) (void)PQcancel(cancel_.get(), why, sizeof why);
}

Status PostgresClient::Connect() {
  connection_.reset();
  std::vector<const char*> names, values;
  for (const auto& [name, value] : settings_.parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
  if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) {
    const std::string why =
        connection_ ? FirstLine(PQerrorMessage(connection_.get())) : "no memory";
    const bool refused = why.find("authentication failed") != std::string::npos ||
                         why.find("no password supplied") != std::string::npos ||
                         why.find("pg_hba.conf") != std::string::npos;
    const bool missing = why.find("database \"") != std::string::npos &&
                         why.find("does not exist") != std::string::npos;
    connection_.reset();
    Status status(refused   ? Code::kFailedPrecondition
                  : missing ? Code::kNotFound
                            : Code::kUnavailable,
                  "cannot connect to PostgreSQL at " + settings_.shown);
    status = std::move(status).WithDetail(why);
    if (refused) return std::move(status).WithHint("check 'username' and 'password'");
    if (missing) return std::move(status).WithHint("create the database");
    return std::move(status).WithRetry(Retry::kReconnect);
  }
  fresh = true;
  {
    std::lock_guard<std::mutex> lock(cancel_mutex_);
    cancel_.reset(PQgetCancel(connection_.get()));
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  return Execute(
             "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET client_encoding = 'UTF8'; "
             "SET standard_conforming_strings = on; SET synchronous_commit = on")
      .status();
}

bool PostgresClient::connected() const {
  return connection_ && PQstatus(connection_.get()) == CONNECTION_OK;
}

Status PostgresClient::Lost() const {
  return Status(Code::kUnavailable,
                "the connection to PostgreSQL at " + settings_.shown + " was lost")
      .WithDetail(connection_ ? FirstLine(PQerrorMessage(connection_.get())) : "")
      .WithRetry(Retry::kReconnect);
}

Status PostgresClient::ErrorOf(const PGresult* result, const std::string& sql) const {
  if (!connected()) return Lost();
  auto field = [&](int code) {
    const char* text = result ? PQresultErrorField(result, code) : nullptr;
    return std::string(text ? text : "");
  };
  const std::string state = field(PG_DIAG_SQLSTATE);
  const std::string kind = state.substr(0, 2);
  std::string message = LowerFirst(field(PG_DIAG_MESSAGE_PRIMARY));
  if (message.empty()) message = FirstLine(PQerrorMessage(connection_.get()));
  std::vector<std::string> details;
  for (const std::string& text : {field(PG_DIAG_MESSAGE_DETAIL), field(PG_DIAG_CONTEXT)}) {
    if (!text.empty()) details.push_back(text);
  }
  Code code = Code::kInternal;
  Retry retry = Retry::kNever;
  if (kind == "08" || kind == "57" || state == "53300") {
    code = Code::kUnavailable;
    retry = Retry::kReconnect;
  } else if (kind == "40" || state == "55P03") {
    code = Code::kUnavailable;
    retry = Retry::kBackoff;
  } else if (kind == "53") {
    code = Code::kResourceExhausted;
    retry = Retry::kBackoff;
  } else if (kind == "21" || kind == "22" || kind == "23" || kind == "P0" || kind == "44" ||
             state == "54000") {  // 54000: a value too large for its index, say
    code = Code::kInvalidArgument;
  } else if (kind == "42" || kind == "28" || kind == "25" || kind == "3D" || kind == "3F") {
    code = state == "42P01" ? Code::kUnknownTable : Code::kFailedPrecondition;
  }
  Status status(code, "PostgreSQL says: " + message + (state.empty() ? "" : " (" + state + ")"));
  status = std::move(status).WithDetail(Join(details, "; ")).WithRetry(retry);
  const int position = std::atoi(field(PG_DIAG_STATEMENT_POSITION).c_str());
  if (position > 0) status = std::move(status).At(PlaceOf(sql, position));
  const std::string hint = field(PG_DIAG_MESSAGE_HINT);
  return hint.empty() ? status : std::move(status).WithHint(hint);
}

Result<PgResult> PostgresClient::Execute(const std::string& sql) {
  if (!connected()) return Lost();
  PgResult result(PQexec(connection_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    return ErrorOf(result.get(), sql);
  }
  return result;
}

Result<PgResult> PostgresClient::Execute(const std::string& sql,
                                         const std::vector<std::string>& parameters) {
  if (!connected()) return Lost();
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  PgResult result(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                               nullptr, values.data(), nullptr, nullptr, 0));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return ErrorOf(result.get(), sql);
  return result;
}

Status PostgresClient::CopyIn(const std::string& sql, std::string_view data) {
  if (!connected()) return Lost();
  PgResult started(PQexec(connection_.get(), sql.c_str()));
  if (PQresultStatus(started.get()) != PGRES_COPY_IN) return ErrorOf(started.get(), sql);
  constexpr size_t kPiece = 64 << 10;
  bool sent = true;
  for (size_t at = 0; sent && at < data.size(); at += kPiece) {
    const auto size = static_cast<int>(std::min(kPiece, data.size() - at));
    sent = PQputCopyData(connection_.get(), data.data() + at, size) == 1;
  }
  if (PQputCopyEnd(connection_.get(), sent ? nullptr : "the client gave up") != 1) return Lost();
  Status status;
  while (PGresult* raw = PQgetResult(connection_.get())) {
    PgResult result(raw);
    if (status.ok() && PQresultStatus(raw) != PGRES_COMMAND_OK) status = ErrorOf(raw, sql);
    if (!connected()) break;
  }
  if (status.ok() && !connected()) return Lost();
  return status;
}

int64_t CopyErrorLine(const Status& status) {
  const std::string& detail = status.detail();
  const size_t at = detail.rfind("COPY ");
  if (at == std::string::npos) return 0;
  const size_t line = detail.find(", line ", at);
  return line == std::string::npos ? 0 : std::atoll(detail.c_str() + line + 7);
}

}  // namespace millrace::connectors::jdbc
