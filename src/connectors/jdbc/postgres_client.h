// PostgresClient: one connection to PostgreSQL whose errors are Status.
//
// Contract: one thread, but for Cancel. A connection that is lost gives kUnavailable with
// Retry::kReconnect; Connect() then makes a new one. Error codes: kUnavailable (not reachable,
// shutting down, too many connections; deadlock and serialisation failures with Retry::kBackoff),
// kResourceExhausted (disk full), kNotFound (database missing), kFailedPrecondition (login
// refused), kInvalidArgument (a value that the server refuses; the server's DETAIL and CONTEXT are
// the detail), kInternal (anything else). span() has line and column in the statement where the
// server names them.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::jdbc {

struct ConnectionSettings {
  // libpq keywords and values, in order.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string shown;  // "host:port/database", for messages
};

// From a JDBC url "jdbc:postgresql://host:port/db?param=value&…" and the options beside it.
// Errors: kUnsupported for other databases, kBadOption for what is not a url.
Result<ConnectionSettings> ParseJdbcUrl(const std::string& url, const std::string& user,
                                        const std::string& password, int64_t connect_timeout_us);

struct PgResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, PgResultDeleter>;

class PostgresClient {
 public:
  explicit PostgresClient(ConnectionSettings settings) : settings_(std::move(settings)) {}

  // Drops the old connection, if any, and makes a new one in UTC with ISO dates.
  Status Connect();
  bool connected() const;
  // True after every new connection until the caller resets it: session state is gone.
  bool fresh = false;

  // Runs one command or several without parameters.
  Result<PgResult> Execute(const std::string& sql);
  // Runs one command with text parameters ($1, …).
  Result<PgResult> Execute(const std::string& sql, const std::vector<std::string>& parameters);
  // Runs "COPY … FROM STDIN" with the data that follows.
  Status CopyIn(const std::string& sql, std::string_view data);
  // From any thread: asks the server to break off what the connection runs now, if anything; the
  // command then ends with SQLSTATE 57014. The request goes on a connection of its own, so it may
  // come too late and hit the next command.
  void Cancel();

 private:
  struct Closer {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  // `sql`: the statement, for the line and column that the server points at.
  Status ErrorOf(const PGresult* result, const std::string& sql) const;
  Status Lost() const;

  ConnectionSettings settings_;
  std::unique_ptr<PGconn, Closer> connection_;
  struct CancelFreer {
    void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
  };
  std::mutex cancel_mutex_;  // of cancel_
  std::unique_ptr<PGcancel, CancelFreer> cancel_;
};

// The line number N in a COPY error's context ("COPY t, line N, …"), from 1; 0 when there is none.
int64_t CopyErrorLine(const Status& status);

}  // namespace millrace::connectors::jdbc
