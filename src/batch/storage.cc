#include "batch/storage.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "duck/extensions.h"
#include "duck/warehouse.h"

namespace millrace::batch {

std::string OptionList(const std::map<std::string, std::string>& options) {
  std::vector<std::string> list;
  for (const auto& [name, value] : options) list.push_back(name + " " + QuoteLiteral(value));
  return Join(list, ", ");
}

Status UseStorage(duckdb::Connection& connection, const std::vector<Storage>& stores) {
  for (size_t i = 0; i < stores.size(); i++) {
    std::map<std::string, std::string> secret = stores[i].options;
    secret["scope"] = stores[i].prefix;
    MR_RETURN_IF_ERROR(duck::ExplainMissingExtension(
                           duck::Warehouse::Execute(
                               connection, fmt::format("CREATE SECRET storage_{} (TYPE s3, {})", i,
                                                       OptionList(secret))))
                           .Annotate("storage \"" + stores[i].prefix + "\""));
  }
  return Status::Ok();
}

}  // namespace millrace::batch
