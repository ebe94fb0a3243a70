#include "cli/app_schema.h"

namespace millrace::cli {

namespace {

void AddVersion(CLI::App* sub, SchemaOptions& to) {
  sub->add_option("--version", to.version, "Which one; default: the latest")->type_name("N");
}

void AddFile(CLI::App* sub, SchemaOptions& to) {
  sub->add_option("file", to.file, "The schema; - for stdin")->type_name("FILE")->required();
  sub->add_option("--type", to.type, "AVRO, JSON or PROTOBUF; default: by the file's name")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"AVRO", "JSON", "PROTOBUF"}, CLI::ignore_case));
  sub->add_option("--reference", to.references, "Another schema whose types this one uses")
      ->type_name("NAME=SUBJECT:VERSION");
}

}  // namespace

void AddSchemaCommands(CLI::App* schema, SchemaOptions& to,
                       const std::function<void(std::function<int()>)>& choose) {
  schema->footer(
      "Beside a running `millrace dev` of the project these go over HTTP, otherwise to its data.\n"
      "The registry speaks Confluent's REST API at the address of the page.");
  auto add = [&](const char* name, const char* summary, const char* footer,
                 int (*run)(const SchemaOptions&)) {
    CLI::App* sub = schema->add_subcommand(name, summary);
    sub->footer(footer);
    sub->callback([&to, choose, run] { choose([&to, run] { return run(to); }); });
    sub->add_option("-C,--project", to.directory, "The project")
        ->type_name("DIR")
        ->capture_default_str();
    sub->add_option("-t,--target", to.target, "Target of millrace.yml; default: the one it names")
        ->type_name("NAME");
    return sub;
  };
  auto add_of_subject = [&](const char* name, const char* summary, const char* footer,
                            int (*run)(const SchemaOptions&)) {
    CLI::App* sub = add(name, summary, footer, run);
    sub->add_option("subject", to.subject, "A topic's name and -value or -key")
        ->type_name("SUBJECT")
        ->required();
    return sub;
  };
  add("ls", "All subjects of the schema registry", "Example:\n  millrace schema ls", RunSchemaList);
  AddVersion(
      add_of_subject("show", "Print a schema",
                     "Example:\n  millrace schema show orders-value --version 2", RunSchemaShow),
      to);
  AddFile(add_of_subject("register", "Make a schema the subject's next version",
                         "Example:\n  millrace schema register orders-value order.avsc\n\n"
                         "Refused when the subject's compatibility does not allow it.",
                         RunSchemaRegister),
          to);
  CLI::App* check = add_of_subject(
      "check", "What a schema would break as the subject's next version",
      "Example:\n  millrace schema check orders-value order.avsc\n\n"
      "Compares it as the subject's compatibility asks; reads the topic's newest records and dead\n"
      "letters with it; and resolves it with the columns of the tables over the topic. Exit code "
      "1\n"
      "when anything would break.",
      RunSchemaCheck);
  AddFile(check, to);
  check->add_option("--records", to.records, "How many of the newest records are tried")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::App* remove = add_of_subject(
      "delete", "Delete a subject, or one version",
      "Example:\n  millrace schema delete orders-value --version 2\n\n"
      "Softly: it is no longer listed, but records that carry its number can still be read.\n"
      "--permanent deletes for good what was deleted before.",
      RunSchemaDelete);
  remove->add_option("--version", to.version, "Only this one")->type_name("N");
  remove->add_flag("--permanent", to.permanent, "For good");
}

}  // namespace millrace::cli
