#include "dbt/run_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/strings.h"
#include "env/files.h"

namespace millrace::dbt {

namespace {

std::string JournalIn(const std::string& target) {
  return target + "/run_progress.jsonl";
}

bool Finished(const std::string& status) {
  return status == "success" || status == "pass" || status == "warn";
}

// The last line may be half a line.
LastRun FromJournal(const std::string& text) {
  LastRun last;
  std::map<std::string, std::string> ended;
  for (const std::string& line : Split(text, '\n')) {
    auto value = Value::FromJson(line);
    if (!value.ok()) continue;
    if (value->has("plan")) {
      last.command = (*value)["command"].text();
      last.args = (*value)["args"];
      last.unfinished = (*value)["plan"].texts();
    } else if (value->has("done")) {
      std::erase_if(last.batches[(*value)["id"].text()].list(), [&](const Value& batch) {
        return batch.ToJson() == (*value)["done"].ToJson();
      });
    } else {
      const std::string id = (*value)["id"].text();
      ended[id] = (*value)["status"].text();
      last.batches[id] = (*value)["batches"];
    }
  }
  std::erase_if(last.unfinished, [&](const std::string& id) { return Finished(ended[id]); });
  return last;
}

LastRun FromResults(const Value& results) {
  LastRun last;
  last.args = results["args"];
  last.command = last.args["which"].text();
  for (const Value& result : results["results"].list()) {
    const std::string id = result["unique_id"].text();
    if (Finished(result["status"].text())) continue;
    last.unfinished.push_back(id);
    const Value& failed = result["batch_results"]["failed"];
    if (!failed.list().empty()) last.batches[id] = failed;
  }
  return last;
}

}  // namespace

Status RunJournal::Line(const Value& value) {
  const std::string line = value.ToJson() + "\n";
  std::lock_guard<std::mutex> lock(mutex_);
  if (file_ && std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
      std::fflush(file_.get()) == 0) {
    return Status::Ok();
  }
  return Status(Code::kIo, fmt::format("cannot write \"{}\"", JournalIn(target_)));
}

Status RunJournal::Begin(const std::string& command, const Value& args,
                         const std::vector<std::string>& plan) {
  MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(target_));
  file_.reset(std::fopen(JournalIn(target_).c_str(), "w"));
  return Line(Value::Object({{"command", command}, {"args", args}, {"plan", plan}}));
}

Status RunJournal::Note(const std::string& id, const std::string& status, const Value& batches) {
  return Line(Value::Object({{"id", id}, {"status", status}, {"batches", batches}}));
}

Status RunJournal::NoteBatch(const std::string& id, const Value& batch) {
  return Line(Value::Object({{"id", id}, {"done", batch}}));
}

Status RunJournal::End() {
  file_.reset();
  return env::FileSystem::Real()->Remove(JournalIn(target_));
}

Result<LastRun> RunJournal::ReadLast(const std::string& target) {
  env::FileSystem& files = *env::FileSystem::Real();
  auto journal = env::ReadWholeFile(files, JournalIn(target));
  if (journal.ok()) {
    LastRun last = FromJournal(*journal);
    if (!last.command.empty()) return last;
  } else if (journal.status().code() != Code::kNotFound) {
    return journal.status();
  }
  auto text = env::ReadWholeFile(files, target + "/run_results.json");
  if (!text.ok()) {
    return std::move(text).status().Annotate("retry").WithHint(
        "there was no run yet; `millrace build` is one");
  }
  MR_ASSIGN_OR_RETURN(Value results, Value::FromJson(*text));
  return FromResults(results);
}

}  // namespace millrace::dbt
