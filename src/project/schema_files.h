// Schemas of formats that lie in files of the project: 'protobuf.schema-file' = 'events.proto'
// becomes 'protobuf.schema' with the file's text, so that nobody behind a project reads files.
//
// A .proto file's imports are looked for beside it, then below the project. A file that is no text
// is a compiled descriptor (protoc --include_imports --descriptor_set_out).
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "sql/statement.h"

namespace millrace::project {

// Replaces the options of `table` that name files below `directory`. Each file that was read goes
// to `files`, the project's own, under a name by which the text of a job's version has it, too:
// what lies there is taken first. Errors: kBadOption, at the option: no such file, or none of its
// kind.
Status ReadSchemaFiles(const std::string& directory, sql::CreateTable& table,
                       std::map<std::string, std::string>& files);

}  // namespace millrace::project
