// Answers to EXPLAIN, SHOW and DESCRIBE about a project's tables and jobs, as text for people.
#pragma once

#include <string>

#include "base/status.h"
#include "project/project.h"
#include "sql/statement.h"

namespace millrace::cli {

// The plan of a SELECT, an INSERT or each INSERT of a statement set.
Result<std::string> ExplainStatement(const project::Project& project,
                                     const sql::Statement& statement);
// TABLES, VIEWS, CREATE TABLE t, CREATE VIEW v, COLUMNS FROM t, JOBS, DATABASES, CATALOGS.
// Error kUnsupported for the others.
Result<std::string> AnswerShow(const project::Project& project, const sql::Show& show);
// name, type, null, key, extras and watermark of each column, as Flink's.
Result<std::string> AnswerDescribe(const project::Project& project, const sql::Name& name);

// Whichever of them fits; USE, CREATE DATABASE and the like are answered with "".
Result<std::string> AnswerStatement(const project::Project& project,
                                    const sql::Statement& statement);

}  // namespace millrace::cli
