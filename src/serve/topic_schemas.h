// TopicSchemas: for each embedded topic the table its events must fit, as the collector needs it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "duck/planner.h"
#include "project/project.h"
#include "serve/backend.h"

namespace millrace::serve {

class TopicSchemas {
 public:
  // `services`: what formats may use of this process.
  static Result<std::unique_ptr<TopicSchemas>> Make(const project::Project& project,
                                                    const connectors::Services& services);
  // Null when no table declares the topic.
  std::shared_ptr<const TopicSchema> Find(const std::string& topic) const;

 private:
  std::unique_ptr<duck::Planner> planner_;  // the checks' expressions live in it
  std::map<std::string, std::shared_ptr<const TopicSchema>> schemas_;
};

}  // namespace millrace::serve
