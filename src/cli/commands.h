// The commands: what each takes, and the function that carries it out. app.cc fills the options
// from the command line; each function lives in a file named after its command.
//
// Contract: every function returns the process's exit code and has printed its errors itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/version.h"

namespace millrace::cli {

struct InitOptions {
  std::string directory = ".";
};
int RunInit(const InitOptions& options);

struct ValidateOptions {
  std::string path = ".";  // directory or .sql file
  std::string target;
};
int RunValidate(const ValidateOptions& options);

struct TestOptions {
  std::string directory = ".";
  std::string only;  // part of the names of the tests to run; "": all
  bool thorough = false;
};
int RunTest(const TestOptions& options);

struct DevOptions {
  std::string directory = ".";
  std::string target;
  std::string host;    // "": as millrace.yml says
  int port = -1;       // -1: as millrace.yml says; 0: a free one
  double seconds = 0;  // 0: until a signal
  std::string log_level = "info";
  bool log_file = false;     // to .millrace/dev.log instead of stderr
  std::string kafka_listen;  // "HOST:PORT"; "": as millrace.yml says
};
int RunDev(const DevOptions& options);

struct RunOptions {
  std::string path;
  std::string target;
  int64_t rows_max = 0;      // of a SELECT; 0: no limit
  std::string kafka_listen;  // as for dev
  std::string log_level = "warn";
};
int RunRun(const RunOptions& options);

struct SqlOptions {
  std::string directory = ".";
  std::string target;
  std::string sql;  // "": from stdin
  std::string format = "table";
};
int RunSql(const SqlOptions& options);

struct TopicsOptions {
  std::string directory = ".";
  std::string target;
  std::string topic;
  bool all = false;  // list: internal ones too
  // create
  int partitions = 1;
  std::string retention;
  // produce
  std::string file;  // "" or "-": stdin
  std::string key_field;
  std::string key_separator;
  bool validate = false;
  // consume, and produce's partition
  int partition = -1;  // -1: all; by key
  int64_t count = -1;
  bool from_beginning = false;
  bool follow = false;
  std::string format = "%s\\n";
  // mirror
  std::string from;                   // brokers; "": the project's log
  std::string to;                     // the same
  std::string as;                     // the copy's name; "": the topic's
  std::vector<std::string> settings;  // NAME=VALUE, of the clients
};
int RunTopicsList(const TopicsOptions& options);
int RunTopicsDescribe(const TopicsOptions& options);
int RunTopicsCreate(const TopicsOptions& options);
int RunTopicsDelete(const TopicsOptions& options);
int RunTopicsProduce(const TopicsOptions& options);
int RunTopicsConsume(const TopicsOptions& options);
int RunTopicsMirror(const TopicsOptions& options);

struct DlqOptions {
  std::string directory = ".";
  std::string target;
  std::vector<std::string> ids;
  // Filters; "" does not restrict.
  std::string topic;
  std::string table;
  std::string job;
  std::string kind;
  std::string stage;
  std::string since;  // how long ago, at most
  bool open = false;  // actions: all that are open
  // ls
  std::string state;
  bool all = false;
  int64_t limit = 50;
  std::string format = "table";
  // edit
  std::string set;
  std::string patch;
  std::string value;
  bool has_value = false;
  // actions
  bool dry_run = false;
  bool again = false;
  int part = 500;  // letters per request
  bool late = false;
  std::string reason;
};
int RunDlqList(const DlqOptions& options);
int RunDlqShow(const DlqOptions& options);
// `action`: retry, replay, edit or discard.
int RunDlqAction(const std::string& action, const DlqOptions& options);

struct StatusOptions {
  std::string directory = ".";
  bool json = false;
};
int RunStatus(const StatusOptions& options);

struct VerifyOptions {
  std::string job;
  std::string directory = ".";
  std::string target;
  int64_t lines_max = 40;
  bool json = false;
};
int RunVerify(const VerifyOptions& options);

struct LedgerOptions {
  std::string directory = ".";
  std::string job;
  std::string target;
  std::string format = "table";
  int64_t entries = 0;  // 0: sums
};
int RunLedger(const LedgerOptions& options);

struct ReconcileOptions {
  std::string directory = ".";
  std::string name;
  std::string target;
  bool json = false;
};
int RunReconcile(const ReconcileOptions& options);

struct ReprocessOptions {
  std::string job;
  std::string directory = ".";
  std::string target;
  std::string from = "earliest";
  bool rollback = false;
  bool retire = false;
};
int RunReprocess(const ReprocessOptions& options);

struct PlanOptions {
  std::string directory = ".";
  std::string job;
  std::string target;
  bool json = false;
};
int RunPlan(const PlanOptions& options);

struct ExplainOptions {
  // [DIR|FILE] [JOB]: a first argument that is no path is the job.
  std::string first;
  std::string second;
  std::string sql;
  std::string target;
};
int RunExplain(const ExplainOptions& options);

struct ConnectorsOptions {
  std::string name;
  bool markdown = false;
};
int RunConnectors(const ConnectorsOptions& options);

struct FunctionsOptions {
  std::string name;
  bool markdown = false;
};
int RunFunctions(const FunctionsOptions& options);

}  // namespace millrace::cli
