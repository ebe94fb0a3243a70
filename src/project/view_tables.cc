#include "project/view_tables.h"

#include "base/strings.h"
#include "duck/table_provider.h"

namespace millrace::project {

void RegisterViews(const Project& project, duck::Warehouse& warehouse) {
  for (const sql::View* view : project.catalog().Views()) {
    std::string query = view->query.text;
    if (!view->columns.empty()) {
      std::vector<std::string> columns;
      for (const std::string& name : view->columns) columns.push_back(QuoteIdentifier(name));
      query = "SELECT * FROM (" + query + ") AS v(" + Join(columns, ", ") + ")";
    }
    duck::RegisterView(warehouse, view->name, query);
  }
}

}  // namespace millrace::project
