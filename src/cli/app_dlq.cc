// The shape of `millrace dlq`.
#include "cli/app_dlq.h"

namespace millrace::cli {

namespace {

void AddFilters(CLI::App* sub, DlqOptions& to) {
  sub->add_option("--topic", to.topic, "Of records of this topic")->type_name("NAME");
  sub->add_option("--table", to.table, "Of this table")->type_name("NAME");
  sub->add_option("--job", to.job, "Refused by this job")->type_name("NAME");
  sub->add_option("--kind", to.kind, "malformed, type, null, constraint, time, late or rejected")
      ->type_name("KIND");
  sub->add_option("--stage", to.stage, "collector, decode, check …")->type_name("NAME");
  sub->add_option("--since", to.since, "Not older than this, e.g. '15 m'")->type_name("TIME");
}

void AddLetters(CLI::App* sub, DlqOptions& to) {
  sub->add_option("id", to.ids, "Which: PARTITION/OFFSET, as ls shows them; or filters")
      ->type_name("ID");
  AddFilters(sub, to);
  sub->add_flag("--open", to.open, "All that are open");
  sub->add_flag("--dry-run", to.dry_run, "Only say what would happen to each");
  sub->add_option("--part", to.part, "How many letters are worked on at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 500))
      ->capture_default_str();
  sub->add_flag("--again", to.again, "Letters that were replayed or discarded, too");
}

}  // namespace

void AddDlqCommands(CLI::App* dlq, DlqOptions& to,
                    const std::function<void(std::function<int()>)>& choose) {
  dlq->require_subcommand(1);
  dlq->footer(
      "Beside a running `millrace dev` of the project these go over HTTP, otherwise to its data.\n"
      "All that is done is kept in the topic millrace.dead-letters.audit; in SQL:\n"
      "millrace.dead_letters and millrace.dead_letter_audit.");
  dlq->add_option("-C,--project", to.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  dlq->add_option("-t,--target", to.target, "Target of millrace.yml; default: the one it names")
      ->type_name("NAME");
  auto add = [&](const char* name, const char* summary, const char* footer,
                 std::function<int()> command) {
    CLI::App* sub = dlq->add_subcommand(name, summary)->fallthrough();
    sub->footer(footer);
    sub->callback([choose, command = std::move(command)] { choose(command); });
    return sub;
  };
  CLI::App* ls =
      add("ls", "Dead letters that are open, newest first",
          "Examples:\n  millrace dlq ls\n  millrace dlq ls --kind constraint --since '1 h'\n"
          "  millrace dlq ls --all --format json",
          [&to] { return RunDlqList(to); });
  AddFilters(ls, to);
  ls->add_option("--state", to.state,
                 "open, edited, replaying, replayed, edited+replayed or discarded")
      ->type_name("STATE");
  ls->add_flag("--all", to.all, "Whatever their state");
  ls->add_option("-n,--limit", to.limit, "At most so many")->type_name("N")->capture_default_str();
  CLI::App* show = add("show", "All about one: its bytes, why, and what was done with it",
                       "Example:\n  millrace dlq show 0/17", [&to] { return RunDlqShow(to); });
  show->add_option("id", to.ids, "PARTITION/OFFSET")->type_name("ID")->required();
  for (CLI::App* sub : {ls, show}) {
    sub->add_option("--format", to.format, "table, csv or json")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"table", "csv", "json"}))
        ->capture_default_str();
  }
  CLI::App* retry =
      add("retry", "Send letters to their topics again, as they came",
          "Example:\n  millrace dlq retry --table orders      after its constraint changed",
          [&to] { return RunDlqAction("retry", to); });
  CLI::App* replay =
      add("replay", "Send letters to their topics: edited where they were, else as they came",
          "Examples:\n  millrace dlq replay --kind constraint --dry-run\n"
          "  millrace dlq replay 0/17 0/18\n\n"
          "Each goes through the validation of today, keeps key and partition, and arrives once.",
          [&to] { return RunDlqAction("replay", to); });
  CLI::App* edit = add(
      "edit", "Change what a replay will send",
      "Examples:\n  millrace dlq edit 0/17 --set \"quantity = abs(quantity), currency = 'EUR'\"\n"
      "  millrace dlq edit --kind type --patch '{\"quantity\": 1, \"note\": null}'\n\n"
      "--set is DuckDB's SQL over the letter's JSON fields, as behind SET in an UPDATE.",
      [&to] { return RunDlqAction("edit", to); });
  CLI::App* discard = add("discard", "Give letters up",
                          "Example:\n  millrace dlq discard 0/17 --reason \"test order\"",
                          [&to] { return RunDlqAction("discard", to); });
  for (CLI::App* sub : {retry, replay, edit, discard}) AddLetters(sub, to);
  for (CLI::App* sub : {retry, replay}) {
    sub->add_flag("--late", to.late, "Late rows, too: they may well be late again");
  }
  CLI::Option* set =
      edit->add_option("--set", to.set, "Assignments over the fields")->type_name("SQL");
  CLI::Option* patch =
      edit->add_option("--patch", to.patch, "JSON merge patch (RFC 7396)")->type_name("JSON");
  CLI::Option* value = edit->add_option_function<std::string>(
                               "--value",
                               [&to](const std::string& text) {
                                 to.value = text;
                                 to.has_value = true;
                               },
                               "The whole record anew")
                           ->type_name("TEXT");
  set->excludes(patch)->excludes(value);
  patch->excludes(value);
  discard->add_option("--reason", to.reason, "Why; kept in the audit")
      ->type_name("TEXT")
      ->required();
}

}  // namespace millrace::cli
