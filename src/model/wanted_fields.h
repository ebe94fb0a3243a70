// WantedFields: which fields of a ROW somebody reads, so that a source can leave the others out.
#pragma once

#include <cstddef>
#include <map>

namespace millrace::model {

struct WantedFields {
  // Field number -> what is wanted of it. Empty: the whole value, also of a type without fields.
  std::map<size_t, WantedFields> fields;

  bool whole() const { return fields.empty(); }

  // Wants what either wants.
  void Add(const WantedFields& other) {
    if (whole()) return;
    if (other.whole()) {
      fields.clear();
      return;
    }
    for (const auto& [field, wanted] : other.fields) {
      auto [at, is_new] = fields.try_emplace(field, wanted);
      if (!is_new) at->second.Add(wanted);
    }
  }
};

}  // namespace millrace::model
