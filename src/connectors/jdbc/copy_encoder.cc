#include "connectors/jdbc/copy_encoder.h"

#include <fmt/format.h>

#include <cmath>

#include "duck/query_result.h"

namespace millrace::connectors::jdbc {

namespace {

using duckdb::LogicalTypeId;

std::string FloatText(double number, const std::string& shortest) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return shortest;
}

// DuckDB writes years before 1 as "0044-03-15 (BC)"; PostgreSQL wants "0044-03-15 BC".
std::string DateText(std::string text) {
  if (size_t at = text.find("(BC)"); at != std::string::npos) text = text.erase(at, 4) + " BC";
  return text;
}

}  // namespace

Status CopyEncoder::AppendText(std::string_view text, std::string& out) const {
  for (char c : text) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\0':
        if (!replace_nul_) {
          return Status(Code::kInvalidArgument,
                        "a text holds the character NUL, which PostgreSQL "
                        "cannot store")
              .WithHint("'sink.nul-characters' = 'replace', or remove it in the query");
        }
        out += "\xEF\xBF\xBD";
        break;
      default:
        out += c;
    }
  }
  return Status::Ok();
}

Status CopyEncoder::AppendValue(const duckdb::Value& value, std::string& out) const {
  if (value.IsNull()) {
    out += "\\N";
    return Status::Ok();
  }
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      out += value.GetValue<bool>() ? 't' : 'f';
      return Status::Ok();
    case LogicalTypeId::FLOAT: {
      const float number = value.GetValue<float>();
      out += FloatText(static_cast<double>(number), fmt::format("{}", number));
      return Status::Ok();
    }
    case LogicalTypeId::DOUBLE: {
      const double number = value.GetValue<double>();
      out += FloatText(number, fmt::format("{}", number));
      return Status::Ok();
    }
    case LogicalTypeId::BLOB: {
      out += "\\\\x";
      for (char c : duckdb::StringValue::Get(value)) {
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
      }
      return Status::Ok();
    }
    case LogicalTypeId::DATE:
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_MS:
    case LogicalTypeId::TIMESTAMP_NS:
    case LogicalTypeId::TIMESTAMP_SEC:
    case LogicalTypeId::TIMESTAMP_TZ:
      return AppendText(DateText(value.ToString()), out);
    case LogicalTypeId::LIST:
    case LogicalTypeId::ARRAY:
    case LogicalTypeId::STRUCT:
    case LogicalTypeId::MAP: {
      std::string json;
      duck::AppendJson(value, json);
      // jsonb refuses \u0000 as text refuses NUL.
      for (size_t at = json.find("\\u0000"); at != std::string::npos && replace_nul_;
           at = json.find("\\u0000", at + 6)) {
        size_t slashes = 0;
        while (slashes < at && json[at - 1 - slashes] == '\\') slashes++;
        if (slashes % 2 == 0) json.replace(at, 6, "\\ufffd");
      }
      return AppendText(json, out);
    }
    case LogicalTypeId::VARCHAR:
      return AppendText(duckdb::StringValue::Get(value), out);
    default:
      return AppendText(value.ToString(), out);
  }
}

std::string PostgresType(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return "boolean";
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::UTINYINT:
    case LogicalTypeId::SMALLINT:
      return "smallint";
    case LogicalTypeId::USMALLINT:
    case LogicalTypeId::INTEGER:
      return "integer";
    case LogicalTypeId::UINTEGER:
    case LogicalTypeId::BIGINT:
      return "bigint";
    case LogicalTypeId::UBIGINT:
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::UHUGEINT:
      return "numeric(39,0)";
    case LogicalTypeId::FLOAT:
      return "real";
    case LogicalTypeId::DOUBLE:
      return "double precision";
    case LogicalTypeId::DECIMAL:
      return fmt::format("numeric({},{})", duckdb::DecimalType::GetWidth(type),
                         duckdb::DecimalType::GetScale(type));
    case LogicalTypeId::DATE:
      return "date";
    case LogicalTypeId::TIME:
      return "time";
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_MS:
    case LogicalTypeId::TIMESTAMP_NS:
    case LogicalTypeId::TIMESTAMP_SEC:
      return "timestamp";
    case LogicalTypeId::TIMESTAMP_TZ:
      return "timestamptz";
    case LogicalTypeId::INTERVAL:
      return "interval";
    case LogicalTypeId::UUID:
      return "uuid";
    case LogicalTypeId::BLOB:
      return "bytea";
    case LogicalTypeId::LIST:
    case LogicalTypeId::ARRAY:
    case LogicalTypeId::STRUCT:
    case LogicalTypeId::MAP:
      return "jsonb";
    default:
      return "text";
  }
}

}  // namespace millrace::connectors::jdbc
