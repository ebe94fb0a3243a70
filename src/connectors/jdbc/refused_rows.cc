#include "connectors/jdbc/refused_rows.h"

#include <algorithm>
#include <numeric>

namespace millrace::connectors::jdbc {

namespace {

// What stands between `before` and `after` in `text`; "" when they do not.
std::string Between(const std::string& text, const std::string& before, const std::string& after) {
  const size_t at = text.rfind(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + before.size();
  const size_t end = text.find(after, begin);
  return end == std::string::npos ? "" : text.substr(begin, end - begin);
}

class Halving {
 public:
  Halving(PostgresClient& client, const ApplyRows& apply) : client_(client), apply_(apply) {}

  Status Try(std::span<const size_t> rows, std::vector<RefusedRow>& refused) {
    if (rows.empty()) return Status::Ok();
    MR_RETURN_IF_ERROR(client_.Execute("SAVEPOINT millrace_rows").status());
    Status status = apply_(rows);
    if (status.ok()) return client_.Execute("RELEASE SAVEPOINT millrace_rows").status();
    if (!IsAboutRow(status)) return status;
    MR_RETURN_IF_ERROR(client_
                           .Execute("ROLLBACK TO SAVEPOINT millrace_rows; "
                                    "RELEASE SAVEPOINT millrace_rows")
                           .status());
    if (rows.size() == 1) {
      refused.push_back({rows[0], std::move(status)});
      return Status::Ok();
    }
    const size_t half = rows.size() / 2;
    MR_RETURN_IF_ERROR(Try(rows.first(half), refused));
    return Try(rows.subspan(half), refused);
  }

 private:
  PostgresClient& client_;
  const ApplyRows& apply_;
};

bool MissesOtherRow(const RefusedRow& refused) {
  return refused.why.message().find("(23503)") != std::string::npos;  // foreign_key_violation
}

}  // namespace

bool IsAboutRow(const Status& status) {
  return status.code() == Code::kInvalidArgument && status.retry() == Retry::kNever;
}

std::string RefusedRow::Column() const {
  const std::string in_copy = Between(why.detail(), ", column ", ":");
  return in_copy.empty() ? Between(why.message(), "in column \"", "\"") : in_copy;
}

std::string RefusedRow::Reason() const {
  std::string reason = why.message();
  std::string detail = why.detail();
  if (const size_t copy = detail.rfind("COPY "); copy != std::string::npos) {
    detail.resize(copy >= 2 ? copy - 2 : 0);  // with the "; " before it
  }
  if (!detail.empty()) reason += ": " + detail;
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return reason;
}

Result<std::vector<RefusedRow>> ApplyAllBut(PostgresClient& client, size_t count,
                                            const ApplyRows& apply) {
  MR_RETURN_IF_ERROR(client.Execute("SET CONSTRAINTS ALL IMMEDIATE").status());
  Halving halving(client, apply);
  std::vector<size_t> rows(count);
  std::iota(rows.begin(), rows.end(), size_t{0});
  while (true) {
    std::vector<RefusedRow> refused;
    MR_RETURN_IF_ERROR(halving.Try(rows, refused));
    const bool fewer = refused.size() < rows.size();
    if (!fewer || std::none_of(refused.begin(), refused.end(), MissesOtherRow)) return refused;
    rows.clear();
    for (const RefusedRow& row : refused) rows.push_back(row.row);
  }
}

}  // namespace millrace::connectors::jdbc
