#include "dbt/builder.h"

#include <fmt/format.h>

#include <cstdlib>
#include <set>

#include "base/strings.h"
#include "dbt/source_place.h"

namespace millrace::dbt {

Builder::Builder(Project& project, Templates& templates, Adapter& adapter, RunJournal* journal)
    : project_(project), templates_(templates), adapter_(adapter), journal_(journal) {
  templates_.set_adapter(&adapter);
  templates_.set_is_incremental([this](const Node& node) { return IsIncremental(node); });
}

bool Builder::IsIncremental(const Node& node) {
  if (node.materialized() != "incremental") return false;
  if (node.config["full_refresh"].truth_or(project_.options.full_refresh)) return false;
  return IsTable(node);
}

bool Builder::IsTable(const Node& node) {
  // A hook's template asks within its transaction.
  if (Session* session = templates_.session()) {
    auto existing = adapter_.Existing(*session, node);
    return existing.ok() && *existing == "BASE TABLE";
  }
  auto reader = adapter_.Reader();
  if (!reader.ok()) return false;
  auto existing = adapter_.Existing(**reader, node);
  return existing.ok() && *existing == "BASE TABLE";
}

void Builder::CreateSchemas(const std::vector<Node*>& nodes) {
  std::set<std::string> created;
  for (const Node* node : nodes) {
    const bool is_test = node->kind == "test";
    const bool is_relation = node->kind == "seed" || node->kind == "snapshot" ||
                             (node->kind == "model" && node->materialized() != "stream");
    if (!is_relation && !(is_test && KeepsFailures(*node))) continue;
    if (!created.insert(adapter_.SchemaName(*node)).second) continue;
    // What is wrong with it will be said of each node that needs it.
    (void)adapter_.InTransaction(
        [&](Session& session) { return adapter_.CreateSchema(session, *node); });
  }
}

Status Builder::InTransaction(Node& node, const Body& body) {
  return adapter_.InTransaction([&](Session& session) -> Status {
    MR_RETURN_IF_ERROR(adapter_.CreateSchema(session, node));
    for (const char* when : {"pre_hook", "", "post_hook"}) {
      if (*when == '\0') {
        MR_RETURN_IF_ERROR(body(session));
        continue;
      }
      for (const Value& hook : node.config[when].list()) {
        const std::string text = hook.is_map() ? hook["sql"].text() : hook.text();
        // What a hook asks for while it is rendered belongs to the transaction, too.
        templates_.set_session(&session);
        auto rendered = templates_.Render(node, text);
        templates_.set_session(nullptr);
        MR_ASSIGN_OR_RETURN(std::string sql, std::move(rendered));
        if (Trim(sql).empty()) continue;
        Status status = session.Run(sql);
        if (!status.ok()) return std::move(status).Annotate(std::string(when));
      }
    }
    return Status::Ok();
  });
}

Status Builder::RunHooks(const Value& hooks, Node& owner) {
  for (const std::string& hook : hooks.texts()) {
    MR_ASSIGN_OR_RETURN(std::string sql, templates_.Render(owner, hook));
    if (Trim(sql).empty()) continue;
    MR_RETURN_IF_ERROR(adapter_.InTransaction([&](Session& session) { return session.Run(sql); }));
  }
  return Status::Ok();
}

Result<Outcome> Builder::View(Node& node, const std::string& sql) {
  Status status = InTransaction(node, [&](Session& session) -> Status {
    MR_ASSIGN_OR_RETURN(std::string existing, adapter_.Existing(session, node));
    return adapter_.Replace(session, node, existing, {.kind = "VIEW", .query = sql}).status();
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, -1};
}

Result<int64_t> Builder::CreateTable(Session& session, const Node& node, const std::string& sql) {
  if (node.config["contract"]["enforced"].truth()) return CreateContracted(session, node, sql);
  MR_ASSIGN_OR_RETURN(std::string existing, adapter_.Existing(session, node));
  return adapter_.Replace(session, node, existing, {.query = sql});
}

Result<Outcome> Builder::Table(Node& node, const std::string& sql) {
  int64_t rows = -1;
  Status status = InTransaction(node, [&](Session& session) -> Status {
    MR_ASSIGN_OR_RETURN(rows, CreateTable(session, node, sql));
    return Status::Ok();
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, rows};
}

// store_failures_as: ephemeral (nothing is kept), table or view; or else store_failures.
bool Builder::KeepsFailures(const Node& node) const {
  const Value& kind = node.config["store_failures_as"];
  if (!kind.is_null()) return kind.text() != "ephemeral";
  return node.config["store_failures"].truth_or(project_.options.store_failures);
}

Status Builder::KeepFailures(Node& node, const std::string& sql) {
  const std::string kind = node.config["store_failures_as"].text_or("table");
  if (kind == "view") return View(node, sql).status();
  if (kind == "table") return Table(node, sql).status();
  return Status(Code::kBadOption, fmt::format("store_failures_as \"{}\" is not known", kind))
      .WithHint("there is: table, view, ephemeral");
}

Result<Outcome> Builder::Test(Node& node, const std::string& sql) {
  const std::string counted = node.config["fail_calc"].text_or("count(*)");
  const std::string warn_if = node.config["warn_if"].text_or("!= 0");
  const std::string error_if = node.config["error_if"].text_or("!= 0");
  const std::string limit =
      node.config["limit"].is_null() ? "" : "\nLIMIT " + node.config["limit"].text();
  std::string failing = sql + limit;
  if (KeepsFailures(node)) {
    MR_RETURN_IF_ERROR(KeepFailures(node, failing));
    failing = "SELECT * FROM " + adapter_.TableName(node);
  }
  const std::string wrapped = fmt::format(
      "SELECT failures, failures {}, failures {} FROM (SELECT coalesce({}, 0) AS failures FROM "
      "(\n{}\n) dbt_internal_test) judged",
      warn_if, error_if, counted, failing);
  // One line stands before the test's own text.
  MR_ASSIGN_OR_RETURN(Rows answer, adapter_.Query(wrapped));
  const Value& row = answer.rows.front();
  Outcome outcome;
  outcome.failures = row[size_t{0}].whole();
  const bool should_warn = row[size_t{1}].truth();
  const bool should_error = row[size_t{2}].truth();
  const bool severe = !EqualsIgnoreCase(node.config["severity"].text(), "warn");
  outcome.status = severe && should_error ? "fail" : should_warn ? "warn" : "pass";
  if (outcome.status != "pass") {
    outcome.message = fmt::format("Got {} result{}, configured to {} if {}", outcome.failures,
                                  outcome.failures == 1 ? "" : "s", outcome.status,
                                  outcome.status == "fail" ? error_if : warn_if);
  }
  return outcome;
}

Result<Outcome> Builder::Build(Node& node) {
  MR_RETURN_IF_ERROR(adapter_.Check(node));
  if (node.kind == "seed") return Seed(node);
  if (node.kind == "unit_test") return UnitTest(node);
  if (IsMicrobatch(node)) return Microbatch(node);
  MR_ASSIGN_OR_RETURN(std::string compiled, templates_.Compile(node));
  const std::string sql = Statement(compiled);
  const std::string kind = node.materialized();
  Result<Outcome> outcome = [&]() -> Result<Outcome> {
    if (Trim(sql).empty()) return Status(Code::kSyntax, "the model has no SQL");
    if (node.kind == "test") return Test(node, sql);
    if (node.kind == "model" && node.config["contract"]["enforced"].truth()) {
      MR_RETURN_IF_ERROR(CheckContract(node, sql));
    }
    if (node.kind == "snapshot") return Snapshot(node, sql);
    if (kind == "view") return View(node, sql);
    if (kind == "table") return Table(node, sql);
    if (kind == "incremental") return Incremental(node, sql);
    if (kind == "stream" && refresh_stream_) return refresh_stream_(node, stopped_);
    if (kind == "stream") {
      return Status(Code::kUnsupported, "a stream model runs in the embedded warehouse only")
          .WithHint("keep millrace.yml and sql/*.sql beside dbt_project.yml, and no profiles.yml");
    }
    return Status(Code::kUnsupported, fmt::format("materialization \"{}\" is not known", kind))
        .WithHint("there is: view, table, incremental, ephemeral, stream");
  }();
  if (!outcome.ok()) return Placed(project_, node, outcome.status());
  if (outcome->note.empty()) outcome->note = ConstraintsLeftOut(node);
  return outcome;
}

Status Placed(const Project& project, const Node& node, Status status) {
  if (!status.span().file.empty()) return status;
  SourceSpan place = PlaceInTemplate(node, status.span().line);
  if (status.span().line > 0) {
    status = std::move(status).WithDetail(
        fmt::format("line {} of {}/compiled/{}/{}", std::max(1, status.span().line - 1),
                    project.target_directory, node.package, node.path));
  }
  return std::move(status).At(place);
}

}  // namespace millrace::dbt
