#include "cli/app_batch.h"

namespace millrace::cli {

void AddBatchCommand(const AddCommand& add, BatchOptions& options) {
  CLI::App* batch = add(
      "batch", "Carry out a file of SQL over files, S3 and databases",
      "Examples:\n  millrace batch daily_orders.sql --set date=2025-07-24\n"
      "  millrace batch backfill.sql --run 'backfill of July'\n\n"
      "DuckDB's SQL: read_parquet, read_csv, COPY … TO, INSERT INTO. --set NAME=VALUE is\n"
      "getvariable('NAME') in the statements. Storage and databases are those of millrace.yml,\n"
      "which is looked for beside the file and above; its directory is where relative paths "
      "start.\n"
      "COPY with PARTITION_BY and OVERWRITE replaces partitions one by one, each in one step.\n"
      "What changes rows of a database happens once per run, however often it is repeated.\n"
      "See docs/reference/batch.md.",
      [&options] { return RunBatchFile(options); });
  batch->add_option("file", options.file, "The statements")->type_name("FILE.sql")->required();
  batch->add_option("--set", options.variables, "A variable of the statements")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  batch->add_option("--run", options.run, "Name of the run; default: the file and its variables")
      ->type_name("NAME");
  batch->add_option("--format", options.format, "Of queries: table, csv or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->capture_default_str();
}

}  // namespace millrace::cli
