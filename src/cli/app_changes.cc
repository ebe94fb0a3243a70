#include "cli/app_changes.h"

namespace millrace::cli {

void AddChangeCommands(const AddCommand& add, PlanOptions& plan, ReprocessOptions& reprocess) {
  CLI::App* planned =
      add("plan", "What a start would do with jobs whose query changed, and what it costs",
          "Examples:\n  millrace plan\n  millrace plan page_view_counts\n"
          "  millrace plan shop page_view_counts --json\n\n"
          "For each job: goes on; keeps its state; needs a backfill (records to read, bytes,\n"
          "seconds); or cannot change over, and why. Changes nothing. Works beside a running\n"
          "`millrace dev`: it compares the files as they are now with what runs.",
          [&plan] { return RunPlan(plan); });
  planned->add_option("dir", plan.directory, "The project; what is no path is a job of \".\"")
      ->type_name("DIR|JOB")
      ->capture_default_str();
  planned->add_option("job", plan.job, "One of its jobs; default: all")->type_name("JOB");
  planned->add_flag("--json", plan.json, "As one JSON object");

  CLI::App* again = add(
      "reprocess", "Compute a job anew beside the one that serves, and change over",
      "Examples:\n  millrace reprocess page_view_counts\n"
      "  millrace reprocess page_view_counts shop --from '2026-03-01 10:00:00'\n"
      "  millrace reprocess page_view_counts --rollback     back to the version before\n"
      "  millrace reprocess page_view_counts --retire       give that one up\n\n"
      "The job, as its files are now, reads its input from the log again into a state and a table\n"
      "of its own (orders__v2). When it has caught up, one transaction gives it the name of the\n"
      "table, and the old one is stopped and kept. Beside a running `millrace dev`, or without.\n"
      "Stopped or killed, the same command goes on. See docs/changing-a-job.md.",
      [&reprocess] { return RunReprocess(reprocess); });
  again->add_option("job", reprocess.job, "Which one")->type_name("JOB")->required();
  again->add_option("dir", reprocess.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  again->add_option("--from", reprocess.from, "earliest, an offset, or a time in UTC")
      ->type_name("PLACE")
      ->capture_default_str();
  again->add_flag("--rollback", reprocess.rollback, "Change back to the version before");
  again->add_flag("--retire", reprocess.retire, "Delete the versions that do not serve");
  for (auto [sub, target] : {std::pair{planned, &plan.target}, {again, &reprocess.target}}) {
    sub->add_option("-t,--target", *target, "Target of millrace.yml; default: the one it names")
        ->type_name("NAME");
  }
}

}  // namespace millrace::cli
