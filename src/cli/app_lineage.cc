#include "cli/app_lineage.h"

namespace millrace::cli {

void AddLineageCommands(const AddCommand& add, LineageOptions& lineage) {
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
