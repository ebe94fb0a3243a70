// The errors of a schema registry, with the numbers that Confluent's REST API gives them.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::registry {

enum class RegistryError : int {
  kIncompatible = 409,
  kSubjectNotFound = 40401,
  kVersionNotFound = 40402,
  kSchemaNotFound = 40403,
  kSubjectSoftDeleted = 40404,
  kSubjectNotSoftDeleted = 40405,
  kVersionSoftDeleted = 40406,
  kVersionNotSoftDeleted = 40407,
  kCompatibilityNotSet = 40408,
  kModeNotSet = 40409,
  kInvalidSchema = 42201,
  kInvalidVersion = 42202,
  kInvalidCompatibility = 42203,
  kInvalidMode = 42204,
  kNotPermitted = 42205,
  kReferenced = 42206,
  kStore = 50001,
};

// A Status whose detail names the error's number.
Status Fault(RegistryError error, std::string message);
Status NoVersion(int version);
// The number of a Status that Fault made; kStore of any other.
RegistryError ErrorOf(const Status& status);
// The HTTP status that goes with it: 404, 409, 422, 500.
int HttpStatusOf(RegistryError error);

}  // namespace millrace::registry
