// What tests share that drive the one job of a project themselves.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "job/job.h"
#include "project/runtime.h"

namespace millrace::project {

// The one job of a project, driven step by step; destroyed, it leaves what a crash leaves.
inline std::unique_ptr<job::Job> OpenJob(Runtime& runtime) {
  auto compiled = runtime.project().Compile(runtime.project().jobs()[0]);
  if (!compiled.ok()) {
    ADD_FAILURE() << compiled.status().ToString();
    return nullptr;
  }
  job::JobOptions options;
  options.state_directory = runtime.project().target_directory() + "/state/stepped";
  options.services.log = &runtime.log();
  options.services.warehouse = &runtime.warehouse();
  options.services.base_dir = runtime.project().directory();
  auto job = job::Job::Open(std::move(*compiled), std::move(options));
  if (!job.ok()) {
    ADD_FAILURE() << job.status().ToString();
    return nullptr;
  }
  Status recovered = (*job)->Recover();
  EXPECT_TRUE(recovered.ok()) << recovered.ToString();
  return std::move(*job);
}

inline void StepToEnd(job::Job& job, bool commit_last = true) {
  for (;;) {
    auto more = job.Step({.promises = {}, .commit = commit_last});
    ASSERT_TRUE(more.ok()) << more.status().ToString();
    if (!*more || !commit_last) return;
  }
}

inline void WaitFor(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

}  // namespace millrace::project
