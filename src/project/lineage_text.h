// A project's lineage, and the ways of a place in it, as text, JSON, DOT and YAML.
#pragma once

#include <string>

#include "project/lineage.h"

namespace millrace::project {

// Trees for people: each column with what it comes from, and what comes from it.
std::string LineageText(const Lineage& whole, const LineageWays& ways);
// Without a place: every node with its neighbours.
std::string LineageText(const Lineage& whole);

// The JSON bodies of docs/reference/http-api.md, /api/lineage.
std::string LineageJson(const Lineage& whole);
std::string LineageJson(const LineageWays& ways);

// Graphviz: nodes with their columns; an edge per pair of columns, indirect ones dashed.
std::string LineageDot(const Lineage& part);
// Both directions in one, for LineageDot.
Lineage UnionOf(const LineageWays& ways);

// One document per topic or table that a job of `part` reads, and sink: where rows come from, the
// steps that they take, where they end. The same shape as of a record's trace, less what only a
// record has (partition, offset, times). A step's version is a hash of the statement that says it.
std::string LineageYaml(const Project& project, const Lineage& part);

// A hash of a statement's text, 8 hex digits: a step's version.
std::string TextVersion(const std::string& text);

}  // namespace millrace::project
