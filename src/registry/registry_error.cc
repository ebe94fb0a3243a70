#include "registry/registry_error.h"

#include <charconv>
#include <string_view>

namespace millrace::registry {

namespace {

constexpr std::string_view kDetail = "error code ";

}  // namespace

Status Fault(RegistryError error, std::string message) {
  const int http = HttpStatusOf(error);
  const Code code = http == 404   ? Code::kNotFound
                    : http == 409 ? Code::kFailedPrecondition
                    : http == 422 ? Code::kInvalidArgument
                                  : Code::kInternal;
  return Status(code, std::move(message))
      .WithDetail(std::string(kDetail) + std::to_string(static_cast<int>(error)));
}

Status NoVersion(int version) {
  return Fault(RegistryError::kVersionNotFound,
               "Version " + std::to_string(version) + " not found.");
}

RegistryError ErrorOf(const Status& status) {
  const std::string_view detail = status.detail();
  int number = 0;
  if (!detail.starts_with(kDetail)) return RegistryError::kStore;
  const char* begin = detail.data() + kDetail.size();
  const auto [end, error] = std::from_chars(begin, detail.data() + detail.size(), number);
  return error == std::errc() ? static_cast<RegistryError>(number) : RegistryError::kStore;
}

int HttpStatusOf(RegistryError error) {
  const int number = static_cast<int>(error);
  return number < 1000 ? number : number / 100;
}

}  // namespace millrace::registry
