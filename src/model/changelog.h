// How the rows of a table or a stream change.
#pragma once

namespace millrace::model {

enum class ChangelogKind {
  kAppend,   // rows come, and stay
  kRetract,  // a row of weight -1 takes back an equal one that came before
  // A row replaces the one with its key; one of weight -1 takes away whatever row has its key, of
  // which it need not know more. Only of tables as they are read.
  kUpsert,
};

}  // namespace millrace::model
