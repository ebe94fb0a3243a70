#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/strings.h"
#include "base/units.h"
#include "project/sql_test.h"
#include "project/yaml_reader.h"
#include "sql/types.h"

namespace millrace::project {

namespace {

// No event is ahead of such a clock, so that a test need not say what time it is.
constexpr const char* kDefaultClock = "2100-01-01 00:00:00";
constexpr int64_t kMillisecond = 1000;
constexpr int kPartitionsMax = 64;

bool IsNumberType(const duckdb::LogicalType& type) {
  return type.IsNumeric() || type.id() == duckdb::LogicalTypeId::BOOLEAN;
}

bool IsQuoted(const YAML::Node& node) {
  return node.Tag() == "!";
}

// A value of a column of this type as JSON.
std::string ToJson(const YAML::Node& node, const duckdb::LogicalType& type) {
  if (node.IsNull()) return "null";
  if (node.IsSequence()) {
    auto child = type.id() == duckdb::LogicalTypeId::LIST ? duckdb::ListType::GetChildType(type)
                                                          : duckdb::LogicalType::VARCHAR;
    std::vector<std::string> parts;
    for (const auto& entry : node) parts.push_back(ToJson(entry, child));
    return "[" + Join(parts, ",") + "]";
  }
  if (node.IsMap()) {
    std::vector<std::string> parts;
    for (const auto& entry : node) {
      std::string name = entry.first.Scalar();
      duckdb::LogicalType child = duckdb::LogicalType::VARCHAR;
      if (type.id() == duckdb::LogicalTypeId::STRUCT) {
        for (const auto& [field, field_type] : duckdb::StructType::GetChildTypes(type)) {
          if (EqualsIgnoreCase(field, name)) child = field_type;
        }
      } else if (type.id() == duckdb::LogicalTypeId::MAP) {
        child = duckdb::MapType::ValueType(type);
      }
      parts.push_back(JsonQuote(name) + ":" + ToJson(entry.second, child));
    }
    return "{" + Join(parts, ",") + "}";
  }
  if (IsNumberType(type) && !IsQuoted(node)) {
    bool bare = true;
    for (char c : node.Scalar()) bare &= std::isalnum(c) || c == '-' || c == '+' || c == '.';
    if (bare) return node.Scalar();
  }
  return JsonQuote(node.Scalar());
}

// A value as DuckDB's text of it, to be cast to the column's type.
std::string ToText(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) return "NULL";
  std::vector<std::string> parts;
  if (node.IsSequence()) {
    for (const auto& entry : node) parts.push_back(ToText(entry));
    return "[" + Join(parts, ", ") + "]";
  }
  for (const auto& entry : node) {
    parts.push_back("'" + entry.first.Scalar() + "': " + ToText(entry.second));
  }
  return "{" + Join(parts, ", ") + "}";
}

class Loader {
 public:
  Loader(const std::string& path, Project& project, std::vector<Status>& faults)
      : reader_(path, faults), project_(project), faults_(faults) {}

  void File(const YAML::Node& root, std::vector<SqlTest>& tests) {
    reader_.Map(root, "a test file", {{"tests", [&](const YAML::Node& list) {
                                         Each(list, "\"tests\"", [&](const YAML::Node& node) {
                                           tests.push_back(Test(node));
                                         });
                                       }}});
    if (root.IsMap() && !root["tests"]) {
      reader_.Fault(root, Code::kBadOption, "the file has no \"tests\"",
                    "begin with: tests: [{name: …, steps: […]}]");
    }
  }

 private:
  SqlTest Test(const YAML::Node& node) {
    SqlTest test;
    test.span = reader_.Span(node);
    Time(YAML::Node(kDefaultClock), test.clock_us);
    TestStep last;
    last.kind = TestStep::Kind::kExpect;
    reader_.Map(node, "a test",
                {{"name", [&](const YAML::Node& n) { reader_.Text(n, test.name); }},
                 {"clock", [&](const YAML::Node& n) { Time(n, test.clock_us); }},
                 {"steps",
                  [&](const YAML::Node& n) {
                    Each(n, "\"steps\"", [&](const YAML::Node& s) { Step(s, test.steps); });
                  }},
                 {"expect", [&](const YAML::Node& n) { Expect(n, last.expectations); }}});
    if (!last.expectations.empty()) test.steps.push_back(std::move(last));
    if (test.name.empty()) reader_.Fault(node, Code::kBadOption, "the test has no name", "");
    bool expects = std::any_of(test.steps.begin(), test.steps.end(),
                               [](const TestStep& s) { return !s.expectations.empty(); });
    if (!expects) {
      reader_.Fault(node, Code::kBadOption, fmt::format("test \"{}\" expects nothing", test.name),
                    "add expect: {tables: {NAME: [rows]}}");
    }
    return test;
  }

  void Step(const YAML::Node& node, std::vector<TestStep>& steps) {
    TestStep step;
    const std::vector<std::string> words = {"crash", "end"};
    if (node.IsScalar()) {
      step.kind = node.Scalar() == "crash" ? TestStep::Kind::kCrash : TestStep::Kind::kEnd;
      if (std::find(words.begin(), words.end(), node.Scalar()) == words.end()) {
        reader_.Fault(node, Code::kUnknownOption,
                      fmt::format("there is no step \"{}\"", node.Scalar()),
                      DidYouMean(node.Scalar(), words));
      }
    } else {
      reader_.Map(node, "a step",
                  {{"rows", [&](const YAML::Node& n) { Rows(n, step); }},
                   {"watermark", [&](const YAML::Node& n) { Watermarks(n, step); }},
                   {"wait", [&](const YAML::Node& n) { Wait(n, step); }},
                   {"expect", [&](const YAML::Node& n) {
                      step.kind = TestStep::Kind::kExpect;
                      Expect(n, step.expectations);
                    }}});
      if (node.IsMap() && node.size() != 1) {
        reader_.Fault(node, Code::kBadOption, "a step is one thing",
                      "write each as an entry of \"steps\" of its own");
      }
    }
    const bool ended = std::any_of(steps.begin(), steps.end(), [](const TestStep& s) {
      return s.kind == TestStep::Kind::kEnd;
    });
    if (ended && step.kind == TestStep::Kind::kRows) {
      reader_.Fault(node, Code::kBadOption, "rows after \"end\"", "put \"end\" behind them");
    }
    steps.push_back(std::move(step));
  }

  void Wait(const YAML::Node& node, TestStep& step) {
    step.kind = TestStep::Kind::kWait;
    auto parsed = ParseDurationMicros(node.IsScalar() ? node.Scalar() : "");
    if (parsed.ok()) {
      step.wait_us = *parsed;
    } else {
      reader_.Fault(node, Code::kBadOption, parsed.status().message(), parsed.status().hint());
    }
  }

  void Watermarks(const YAML::Node& node, TestStep& step) {
    step.kind = TestStep::Kind::kWatermark;
    Tables(node, [&](const sql::Table& table, const YAML::Node& time) {
      if (!table.watermark) {
        reader_.Fault(time, Code::kBadOption,
                      fmt::format("table \"{}\" has no WATERMARK", table.name), "");
        return;
      }
      int64_t us = 0;
      // Flink's watermark W says that W itself has come.
      if (Time(time, us)) step.watermarks[table.name] = us + kMillisecond;
    });
  }

  void Rows(const YAML::Node& node, TestStep& step) {
    step.kind = TestStep::Kind::kRows;
    Tables(node, [&](const sql::Table& table, const YAML::Node& rows) {
      Each(rows, fmt::format("the rows of \"{}\"", table.name),
           [&](const YAML::Node& row) { Row(table, row, step.rows); });
    });
  }

  void Row(const sql::Table& table, const YAML::Node& node, std::vector<InputRow>& rows) {
    InputRow row;
    row.table = table.name;
    std::vector<std::string> fields;
    bool raw = false;
    int copies = 1;
    std::vector<std::pair<std::string, YamlReader::Handler>> keys = {
        {"_partition",
         [&](const YAML::Node& n) { reader_.Number(n, row.partition, 0, kPartitionsMax - 1); }},
        {"_times", [&](const YAML::Node& n) { reader_.Number(n, copies, 1, 1'000'000); }},
        {"_key",
         [&](const YAML::Node& n) {
           row.key.emplace();
           reader_.Text(n, *row.key);
         }},
        {"_raw", [&](const YAML::Node& n) {
           raw = true;
           reader_.Text(n, row.value);
         }}};
    for (const model::Column& column : table.schema.columns) {
      keys.emplace_back(column.name, [&](const YAML::Node& n) {
        fields.push_back(JsonQuote(column.name) + ":" + ToJson(n, column.type));
      });
    }
    reader_.Map(node, fmt::format("table \"{}\"", table.name), keys);
    if (raw && !fields.empty()) {
      reader_.Fault(node, Code::kBadOption, "\"_raw\" is the whole record",
                    "leave out either it or the columns");
    }
    if (!raw) row.value = "{" + Join(fields, ",") + "}";
    rows.insert(rows.end(), static_cast<size_t>(copies), row);
  }

  void Expect(const YAML::Node& node, std::vector<Expectation>& all) {
    bool ordered = false;
    reader_.Map(
        node, "\"expect\"",
        {{"tables", [&](const YAML::Node& n) { ExpectTables(n, Expectation::Kind::kTable, all); }},
         {"changelog",
          [&](const YAML::Node& n) { ExpectTables(n, Expectation::Kind::kChangelog, all); }},
         {"ordered", [&](const YAML::Node& n) { reader_.Flag(n, ordered); }},
         {"dead-letters", [&](const YAML::Node& n) {
            Expectation letters;
            letters.kind = Expectation::Kind::kDeadLetters;
            letters.span = reader_.Span(n);
            Each(n, "\"dead-letters\"", [&](const YAML::Node& row) {
              ExpectRow(row, DeadLetterFields(), "a dead letter", letters);
            });
            all.push_back(std::move(letters));
          }}});
    for (Expectation& expectation : all) expectation.ordered = ordered;
  }

  static std::vector<std::string> DeadLetterFields() {
    return {"table", "topic", "partition", "offset", "stage", "kind", "column", "reason", "value"};
  }

  void ExpectTables(const YAML::Node& node, Expectation::Kind kind, std::vector<Expectation>& all) {
    if (!node.IsMap()) {
      reader_.Fault(node, Code::kBadOption, "expected tables by name, each with its rows",
                    "for example: tables: {per_minute: [{url: /a, views: 2}]}");
      return;
    }
    for (const auto& entry : node) {
      std::string name = entry.first.Scalar();
      const sql::Table* table = catalog().FindTable(name);
      const sql::View* view = catalog().FindView(name);
      if (!table && !view) {
        reader_.Fault(entry.first, Code::kUnknownTable,
                      fmt::format("there is no table or view \"{}\"", name),
                      DidYouMean(name, catalog().Names()));
        continue;
      }
      Expectation expectation;
      expectation.kind = kind;
      expectation.shown = table ? table->name : view->name;
      expectation.span = reader_.Span(entry.first);
      expectation.table = table ? table->name : TableOf(*view);
      table = catalog().FindTable(expectation.table);
      if (!table) continue;  // the view has a fault, which is reported
      std::vector<std::string> names = table->schema.Names();
      Each(entry.second, fmt::format("the rows of \"{}\"", name), [&](const YAML::Node& row) {
        ExpectRow(row, names, fmt::format("table \"{}\"", name), expectation);
      });
      all.push_back(std::move(expectation));
    }
  }

  // The table that a job for the test fills from the view; both are made when they are not there.
  std::string TableOf(const sql::View& view) {
    const std::string name = "view " + view.name;
    if (catalog().FindTable(name)) return name;
    sql::Select select;
    select.query = {fmt::format("SELECT * FROM `{}`", view.name), 0, view.span};
    auto compiled =
        job::CompileSelect(catalog(), select, project_.settings(),
                           [&](const sql::Table& table) { return project_.Bind(table); });
    if (!compiled.ok()) {
      faults_.push_back(compiled.status());
      return name;
    }
    std::vector<std::string> columns;
    const stream::JobPlan& plan = (*compiled)->plan;
    for (size_t i = 0; i < plan.names.size(); i++) {
      columns.push_back(fmt::format("`{}` {}", plan.names[i], sql::ToFlinkType(plan.types[i])));
    }
    project_.AddScript(fmt::format("CREATE TABLE `{}` ({}) WITH ('connector' = 'blackhole');\n"
                                   "INSERT INTO `{}` SELECT * FROM `{}`;",
                                   name, Join(columns, ", "), name, view.name),
                       view.span.file, faults_);
    return name;
  }

  void ExpectRow(const YAML::Node& node, const std::vector<std::string>& names,
                 const std::string& what, Expectation& expectation) {
    ExpectedRow row;
    row.span = reader_.Span(node);
    if (!node.IsMap()) {
      reader_.Fault(node, Code::kBadOption, "a row is a map of columns and values",
                    "for example: {url: /a, views: 2}");
      return;
    }
    const bool changelog = expectation.kind == Expectation::Kind::kChangelog;
    bool has_op = false;
    for (const auto& entry : node) {
      std::string name = entry.first.Scalar();
      if (changelog && name == "op") {
        has_op = Op(entry.second, row);
        continue;
      }
      bool known = std::any_of(names.begin(), names.end(),
                               [&](auto& other) { return EqualsIgnoreCase(other, name); });
      if (!known) {
        reader_.Fault(entry.first, Code::kUnknownColumn,
                      fmt::format("{} has no column \"{}\"", what, name), DidYouMean(name, names));
        continue;
      }
      std::optional<std::string> value;
      if (!entry.second.IsNull()) value = ToText(entry.second);
      row.values.emplace_back(ToLower(name), std::move(value));
    }
    if (changelog && !has_op) {
      reader_.Fault(node, Code::kBadOption, "a change needs an \"op\"",
                    "op: \"+\" for a row that comes, \"-\" for one that is taken back");
    }
    expectation.rows.push_back(std::move(row));
  }

  bool Op(const YAML::Node& node, ExpectedRow& row) {
    const std::string op = node.IsScalar() ? node.Scalar() : "";
    row.removed = op == "-" || op == "-U" || op == "-D";
    if (!row.removed && op != "+" && op != "+I" && op != "+U") {
      reader_.Fault(node, Code::kBadOption, fmt::format("\"{}\" is not an op", op),
                    "\"+\" (or +I, +U) for a row that comes, \"-\" (or -U, -D) for one taken back");
    }
    return true;
  }

  // Visits the entries of {table: value}.
  void Tables(const YAML::Node& node,
              const std::function<void(const sql::Table&, const YAML::Node&)>& visit) {
    if (!node.IsMap()) {
      reader_.Fault(node, Code::kBadOption, "expected tables by name", "");
      return;
    }
    std::vector<std::string> names;
    for (const sql::Table* table : catalog().Tables()) names.push_back(table->name);
    for (const auto& entry : node) {
      const sql::Table* table = catalog().FindTable(entry.first.Scalar());
      if (table) {
        visit(*table, entry.second);
      } else {
        reader_.Fault(entry.first, Code::kUnknownTable,
                      fmt::format("there is no table \"{}\"", entry.first.Scalar()),
                      DidYouMean(entry.first.Scalar(), names));
      }
    }
  }

  void Each(const YAML::Node& node, const std::string& what,
            const std::function<void(const YAML::Node&)>& visit) {
    if (node.IsSequence()) {
      for (const auto& entry : node) visit(entry);
    } else if (!node.IsNull()) {
      reader_.Fault(node, Code::kBadOption, fmt::format("{} must be a list", what),
                    "begin each entry with \"- \"");
    }
  }

  bool Time(const YAML::Node& node, int64_t& us) {
    duckdb::Value value;
    std::string error;
    duckdb::Value text(node.IsScalar() ? node.Scalar() : "");
    if (text.DefaultTryCastAs(duckdb::LogicalType::TIMESTAMP, value, &error)) {
      us = value.GetValue<duckdb::timestamp_t>().value;
      return true;
    }
    reader_.Fault(node, Code::kBadOption, "expected a time",
                  "for example: \"2026-03-01 10:00:00\" (UTC)");
    return false;
  }

  const sql::Catalog& catalog() const { return project_.catalog(); }

  YamlReader reader_;
  Project& project_;
  std::vector<Status>& faults_;
};

}  // namespace

std::vector<SqlTest> LoadSqlTests(const std::string& path, Project& project,
                                  std::vector<Status>& faults) {
  std::vector<SqlTest> tests;
  try {
    Loader(path, project, faults).File(YAML::LoadFile(path), tests);
  } catch (const YAML::Exception& e) {
    faults.push_back(Status(Code::kSyntax, "not valid YAML: " + e.msg)
                         .At({path, e.mark.line + 1, e.mark.column + 1, 1}));
  }
  return tests;
}

}  // namespace millrace::project
