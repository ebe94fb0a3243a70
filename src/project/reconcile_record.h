// ParseReconcileResult: what a record of the topic `millrace.reconciliations` says.
#pragma once

#include <string_view>

#include "project/reconcile.h"

namespace millrace::project {

// Back from ReconcileResult::ToJson, without the differences and the window. Errors: kCorruption.
Result<ReconcileResult> ParseReconcileResult(std::string_view json);

}  // namespace millrace::project
