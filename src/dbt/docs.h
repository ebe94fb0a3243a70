// Docs: what `millrace docs generate` writes about a project as it stands in the database:
// target/manifest.json, catalog.json (dbt's schemas), column_lineage.json, and index.html, one page
// that needs no server.
#pragma once

#include <string>

#include "dbt/column_graph.h"
#include "dbt/project.h"
#include "duck/warehouse.h"

namespace millrace::dbt {

// Errors: what the database or the disk says.
Status WriteDocs(const Project& project, const ColumnGraph& graph, duck::Warehouse& warehouse);

// The page, with DATA in the place of its data: docs_page.cc.
const std::string& DocsPage();

}  // namespace millrace::dbt
