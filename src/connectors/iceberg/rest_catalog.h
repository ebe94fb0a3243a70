// RestCatalog: one table of a catalog that speaks Iceberg's REST protocol.
//
// Contract: one thread; every request blocks, for the timeout at most. Errors that another try may
// mend have Retry::kBackoff. After an error of Commit nothing is known about whether it was done;
// kFailedPrecondition: the requirements did not hold, perhaps since it was sent twice on the way.
// Source: Iceberg REST catalog, open API description 1.x.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/http/http_client.h"
#include "connectors/iceberg/store_access.h"
#include "connectors/iceberg/table_metadata.h"

namespace millrace::connectors::iceberg {

struct CatalogSettings {
  std::string uri;        // without "/v1"
  std::string warehouse;  // as the catalog calls it; may be empty
  std::string token;      // bearer; empty: none
  std::vector<std::string> name_space;
  std::string table;
  int64_t timeout_ms = 0;
  bool wants_credentials = false;  // for the store of the table's files
};

// What is to be done when a table is made.
struct NewTable {
  IcebergSchema schema;
  PartitionSpec spec;
  std::map<std::string, std::string> properties;
};

class RestCatalog {
 public:
  explicit RestCatalog(CatalogSettings settings);

  // Asks where the warehouse's tables are; to be called first.
  Status Open();
  // Nothing: there is no such table.
  Result<std::optional<TableMetadata>> Load();
  // Makes the namespace, where it is missing, and the table. Error kAlreadyExists when somebody
  // else has just made it.
  Status Create(const NewTable& table);
  // Makes the updates if the requirements hold; both as JSON. What the table is then.
  Result<TableMetadata> Commit(const std::vector<std::string>& requirements,
                               const std::vector<std::string>& updates);
  // "sales.orders"
  std::string table_name() const;
  // What the last Load told of the store that the table's files are in.
  const StoreProperties& store_properties() const { return store_properties_; }

 private:
  Status Refused(const std::string& what, const http::HttpAnswer& answer) const;
  Result<TableMetadata> MetadataOf(const http::HttpAnswer& answer);
  void TakeStoreProperties(const http::HttpAnswer& answer, const std::string& location);
  Status CreateNamespace();
  std::string NamespaceJson() const;
  std::string NamespacePath() const;
  std::string TablePath() const;

  const CatalogSettings settings_;
  std::unique_ptr<http::HttpClient> client_;
  std::string prefix_;             // of paths: "/v1" or "/v1/main"
  std::string separator_ = "%1F";  // of a namespace's levels in paths
  StoreProperties defaults_;       // of all tables
  StoreProperties overrides_;      // the same, before what is told of a table
  StoreProperties store_properties_;
  simdjson::dom::parser parser_;
};

}  // namespace millrace::connectors::iceberg
