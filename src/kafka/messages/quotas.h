// Messages about quotas: DescribeClientQuotas, AlterClientQuotas.
// Source: Kafka protocol guide, API keys 48 and 49; KIP-546. How a message describes itself:
// kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

// One side of whom a quota is for.
struct QuotaEntityPart {
  std::string type;                 // "user", "client-id"
  std::optional<std::string> name;  // null: everyone else
  template <class Io>
  void Visit(Io& io) {
    io(type, name);
  }
};

struct DescribeClientQuotasRequest {
  struct Component {
    std::string type;
    int8_t match_type = 0;  // 0: this name, 1: everyone else, 2: any
    std::optional<std::string> name;
    template <class Io>
    void Visit(Io& io) {
      io(type, match_type, name);
    }
  };
  std::vector<Component> components;
  bool strict = false;  // nothing with further parts
  template <class Io>
  void Visit(Io& io) {
    io(components, strict);
  }
};

struct DescribeClientQuotasResponse {
  struct Value {
    std::string key;  // "producer_byte_rate"
    double value = 0;
    template <class Io>
    void Visit(Io& io) {
      io(key, value);
    }
  };
  struct Entry {
    std::vector<QuotaEntityPart> entity;
    std::vector<Value> values;
    template <class Io>
    void Visit(Io& io) {
      io(entity, values);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::vector<Entry>> entries;  // null with an error
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, error_message, entries);
  }
};

struct AlterClientQuotasRequest {
  struct Change {
    std::string key;
    double value = 0;
    bool remove = false;
    template <class Io>
    void Visit(Io& io) {
      io(key, value, remove);
    }
  };
  struct Entry {
    std::vector<QuotaEntityPart> entity;
    std::vector<Change> changes;
    template <class Io>
    void Visit(Io& io) {
      io(entity, changes);
    }
  };
  std::vector<Entry> entries;
  bool validate_only = false;
  template <class Io>
  void Visit(Io& io) {
    io(entries, validate_only);
  }
};

struct AlterClientQuotasResponse {
  struct Entry {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<QuotaEntityPart> entity;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, entity);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Entry> entries;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, entries);
  }
};

}  // namespace millrace::kafka
