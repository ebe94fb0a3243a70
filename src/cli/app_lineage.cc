#include "cli/app_lineage.h"

namespace millrace::cli {

namespace {

void AddTrace(const AddCommand& add, TraceOptions& trace) {
  CLI::App* shown = add(
      "trace", "The whole way of one record: bytes, checks, views, jobs, rows in the sinks",
      "Examples:\n  millrace trace orders --key ord_789\n"
      "  millrace trace orders shop --key u7 --column user_id --limit 1\n"
      "  millrace trace --topic orders --partition 0 --offset 145892 --format yaml\n"
      "  millrace trace --sink warehouse_orders --where \"order_id = 'ord_789'\"\n\n"
      "Runs just this record through a private copy of each plan, so it tells what today's text\n"
      "makes of it; look-ups and functions get the answers that the job got then, as far as they\n"
      "are kept; where streams are joined, the record runs among all others, and its partners are\n"
      "told. Dead letters and rows of the sinks are those that are there now. What cannot be told\n"
      "so (jobs over changelogs) is said. Beside a running `millrace dev`, or without.\n"
      "--key: the record's key, or the value of the table's key column ('key.fields', PRIMARY\n"
      "KEY, or --column) in a JSON record; several keys are traced in one go.\n"
      "--sink: begins at rows of a table, goes up to the records they were made of, and traces\n"
      "these.",
      [&trace] { return RunTrace(trace); });
  shown->add_option("table", trace.table, "A table over a topic; none with --sink")
      ->type_name("TABLE");
  shown->add_option("dir", trace.directory, "The project")->type_name("DIR")->capture_default_str();
  CLI::Option* key = shown->add_option("--key", trace.keys, "Which record; may be repeated")
                         ->type_name("KEY")
                         ->allow_extra_args(false);
  shown->add_option("--column", trace.column, "Where to look for the key")->type_name("NAME");
  shown->add_option("--limit", trace.limit, "The newest records of a key, or rows of --sink")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  shown->add_option("--topic", trace.topic, "The record's topic")->type_name("NAME")->excludes(key);
  shown->add_option("--partition", trace.partition, "Its partition")
      ->type_name("P")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  shown->add_option("--offset", trace.offset, "Its offset")
      ->type_name("O")
      ->check(CLI::NonNegativeNumber);
  CLI::Option* where = shown->add_option("--where", trace.where, "Which of its rows, in SQL")
                           ->type_name("CONDITION");
  shown->add_option("--sink", trace.sink, "A table that a job writes")
      ->type_name("TABLE")
      ->excludes(key)
      ->needs(where);
  shown->add_option("--format", trace.format, "text, json or yaml")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "yaml"}))
      ->capture_default_str();
  shown
      ->add_option("-t,--target", trace.target, "Target of millrace.yml; default: the one it names")
      ->type_name("NAME");
}

}  // namespace

void AddLineageCommands(const AddCommand& add, LineageOptions& lineage, TraceOptions& trace) {
  AddTrace(add, trace);
  CLI::App* shown =
      add("lineage", "Which columns a table comes from, and which come from it",
          "Examples:\n  millrace lineage\n  millrace lineage page_view_counts\n"
          "  millrace lineage page_view_counts.views --up\n"
          "  millrace lineage page-views.user_id shop --down\n"
          "  millrace lineage revenue --format dot | dot -Tsvg > revenue.svg\n\n"
          "From the bound plans of the project's own SQL, over collector, topics, tables, views,\n"
          "jobs and dashboards; starts nothing. IDENTITY, TRANSFORMATION and AGGREGATION: the\n"
          "value goes there. JOIN, GROUP_BY, FILTER, SORT, WINDOW, CONDITIONAL: it decides which\n"
          "rows or values do. \"rows\": which rows there are, nothing of their values.\n"
          "yaml: a document per source and sink, as in a record's trace.",
          [&lineage] { return RunLineage(lineage); });
  shown->add_option("name", lineage.name, "A table, view, topic, job or dashboard, with .COLUMN")
      ->type_name("NAME[.COLUMN]");
  shown->add_option("dir", lineage.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  CLI::Option* up = shown->add_flag("--up", lineage.up, "Only what it comes from");
  shown->add_flag("--down", lineage.down, "Only what comes from it")->excludes(up);
  shown->add_option("--format", lineage.format, "text, json, yaml or dot")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "yaml", "dot"}))
      ->capture_default_str();
  shown
      ->add_option("-t,--target", lineage.target,
                   "Target of millrace.yml; default: the one it names")
      ->type_name("NAME");
}

}  // namespace millrace::cli
