// DriftBook: watches a runtime's jobs for fields that tables do not declare; those of tables that
// want it so ('<format>.schema-drift' = 'add-column') are written down as columns, which the tables
// have from the next start on (project/added_columns.h).
//
// Contract: looks a few times a second from a thread of its own, so no job waits for it. What comes
// between a look and a crash is found again in the records that follow. A type may become wider
// until the next start, and is then what it is. Finish belongs behind the end of the jobs.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "job/job.h"
#include "project/added_columns.h"

namespace millrace::project {

class Runtime;

// What is to be told of a field, once.
struct DriftNote {
  std::string table;
  std::string field;
  std::string text;
};

class DriftBook {
 public:
  // Null when no table wants columns added. `runtime` outlives it.
  static std::unique_ptr<DriftBook> Start(Runtime& runtime);
  ~DriftBook();

  // Looks once more. May be repeated.
  void Finish();
  // Since Start, in the order in which they were found. Any thread.
  std::vector<DriftNote> notes() const;

 private:
  explicit DriftBook(Runtime& runtime);
  void Watch();
  void Look();
  void Take(const job::TableDrift& found, const format::FieldDrift& field);
  // Why the field cannot become a column of the table; "": it can.
  std::string Obstacle(const std::string& table, const format::FieldDrift& field) const;
  void Tell(const job::TableDrift& found, const format::FieldDrift& field,
            const std::string& outcome);

  Runtime& runtime_;
  const std::string path_;
  std::set<std::string> growing_;  // tables that want columns added
  AddedColumns added_;
  size_t added_before_ = 0;  // of added_: before Start
  bool unsaved_ = false;
  bool save_failed_ = false;
  std::set<std::pair<std::string, std::string>> told_;
  mutable std::mutex mutex_;  // of what follows
  std::vector<DriftNote> notes_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace millrace::project
