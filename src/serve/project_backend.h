// ProjectBackend: the HTTP API's view of a running project.
#pragma once

#include <memory>

#include "base/status.h"
#include "project/model_watch.h"
#include "project/runtime.h"
#include "serve/backend.h"

namespace millrace::serve {

// `runtime`, and `models` if it is given, outlive the backend. Samples rates on a thread of its
// own. Errors: a dashboard file that cannot be read.
Result<std::unique_ptr<Backend>> NewProjectBackend(project::Runtime& runtime,
                                                   const project::ModelWatch* models = nullptr);

}  // namespace millrace::serve
