// FakeBackend: a Backend for tests over any log; what it answers can be set.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "serve/backend.h"

namespace millrace::serve {

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(log::Log& log) : log_(log) {}

  log::Log& log() override { return log_; }
  std::shared_ptr<const TopicSchema> TopicSchemaFor(const std::string& topic) override {
    std::lock_guard lock(mutex_);
    auto it = schemas.find(topic);
    return it == schemas.end() ? nullptr : it->second;
  }
  void WriteDeadLetters(std::span<const model::DeadLetter> letters,
                        std::function<void(const Status&)> done) override {
    {
      std::lock_guard lock(mutex_);
      dead_letters.insert(dead_letters.end(), letters.begin(), letters.end());
    }
    done(dead_letter_status);
  }
  Result<std::string> PipelineJson() override {
    return "{\"n\":" + std::to_string(++pipelines) + "}";
  }
  Result<std::string> JobJson(const std::string& name) override {
    return Status(Code::kNotFound, "job \"" + name + "\" does not exist").WithHint("see the jobs");
  }
  Result<std::string> DashboardsJson() override { return std::string("[]"); }
  Result<std::string> DashboardJson(const std::string& name) override {
    return "{\"name\":\"" + name + "\"}";
  }
  Result<std::string> DashboardDataJson(const std::string& name,
                                        const std::map<std::string, std::string>& params) override {
    std::string out = name;
    for (const auto& [key, value] : params) out += ";" + key + "=" + value;
    return "\"" + out + "\"";
  }
  Result<std::string> SqlJson(const std::string& sql) override {
    if (sql == "throw") throw std::runtime_error("out of cheese");
    return "\"" + sql + "\"";
  }
  Result<std::string> DeadLettersJson(int64_t limit) override { return std::to_string(limit); }
  Result<std::string> DeadLetterJson(const std::string& id) override {
    return "{\"id\":\"" + id + "\"}";
  }
  Result<std::string> ActOnDeadLetters(std::string_view request_json) override {
    return std::string(request_json);
  }
  Result<std::string> ChangesJson(const std::string& job) override {
    return "{\"changes_of\":\"" + job + "\"}";
  }
  Result<std::string> StartReprocessing(const std::string& job, std::string_view json) override {
    return "{\"" + job + "\":" + std::string(json) + "}";
  }
  Result<std::string> ReprocessingJson(const std::string& job) override {
    return "{\"job\":\"" + job + "\"}";
  }
  Result<std::string> VerifyJson(const std::string& job, int64_t lines_max) override {
    return "{\"" + job + "\":" + std::to_string(lines_max) + "}";
  }
  Result<std::string> LineageJson(const std::string& of, const std::string& direction) override {
    return "{\"of\":\"" + of + "\",\"direction\":\"" + direction + "\"}";
  }
  Status Ready() override { return ready; }
  std::function<void()> Subscribe(std::function<void(const Change&)> on_change) override {
    std::lock_guard lock(mutex_);
    subscriber_ = std::move(on_change);
    return [this] {
      std::lock_guard inner(mutex_);
      subscriber_ = nullptr;
    };
  }
  void Announce(const Change& change) {
    std::lock_guard lock(mutex_);
    if (subscriber_) subscriber_(change);
  }

  std::map<std::string, std::shared_ptr<const TopicSchema>> schemas;
  std::vector<model::DeadLetter> dead_letters;
  Status dead_letter_status;
  Status ready;
  std::atomic<int> pipelines{0};

 private:
  log::Log& log_;
  std::mutex mutex_;
  std::function<void(const Change&)> subscriber_;
};

}  // namespace millrace::serve
