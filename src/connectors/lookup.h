// Lookup: a table of another system that is asked by key, for JOIN … FOR SYSTEM_TIME AS OF, or the
// service of a function, asked by its arguments.
//
// Contract: one thread calls an instance; each shard has its own. The job owns retry and pace: a
// method that fails with Retry::kBackoff or kReconnect is called again, with the same keys, and
// must then reconnect by itself. What a method answers is journaled, so it need not be repeatable.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"

namespace millrace::connectors {

// What is asked of a table: values of these columns, by values of those (schema indexes).
struct LookupQuery {
  std::vector<size_t> keys;
  std::vector<size_t> columns;
};

// Receives what Ask finds. Keys are named by their row in the chunk that was asked.
class LookupOutput {
 public:
  virtual ~LookupOutput() = default;
  // rows: the wanted columns, at most STANDARD_VECTOR_SIZE rows; row i answers key keys[i]. Rows of
  // one key keep their order; a key that is never named has none.
  virtual void OnRows(duckdb::DataChunk& rows, const std::vector<uint32_t>& keys) = 0;
  // What is stored under the key cannot be used.
  virtual void OnBad(uint32_t key, const std::string& why) = 0;
  // Who gives the answers of this Ask calls himself so (the version of a model).
  virtual void OnVersion(const std::string& version) { (void)version; }
};

class Lookup {
 public:
  virtual ~Lookup() = default;
  // Connects and checks what can be checked.
  virtual Status Open() = 0;
  // How many keys one Ask takes; at most STANDARD_VECTOR_SIZE.
  virtual size_t keys_max() const { return STANDARD_VECTOR_SIZE; }
  // Asks for distinct keys: columns of `keys` as LookupQuery::keys, at most keys_max() rows. There
  // are NULLs among them only where the service of a function is asked.
  virtual Status Ask(duckdb::DataChunk& keys, LookupOutput& out) = 0;
};

// Options that every table has which can be asked, to be appended to its connector's own.
std::vector<OptionSpec> LookupOptions();

}  // namespace millrace::connectors
