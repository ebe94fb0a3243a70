// Every message in every version: filled at random, written, read, written again. And what is cut
// off or changed must be refused or read as something else, never crash.
#include <gtest/gtest.h>

#include <random>

#include "kafka/api_table.h"
#include "kafka/message_list.h"

namespace millrace::kafka {
namespace {

// Fills the fields that a version has.
class Filler : public WireIo<Filler> {
 public:
  Filler(uint64_t seed, int version, bool flexible) : WireIo(version, flexible), random_(seed) {}

  template <class T>
  requires std::is_arithmetic_v<T>
  void Field(T& value) {
    value = static_cast<T>(random_() >> 7);
    if constexpr (std::is_same_v<T, bool>) value = random_() % 2 == 0;
  }
  void Field(std::string& text) { text = Text(); }
  void Field(std::optional<std::string>& text) {
    text.reset();
    if (random_() % 3 != 0) text = Text();
  }
  void Field(Bytes& bytes) { bytes.value = Text(); }
  void Field(std::string_view& records) {
    static constexpr std::string_view kRecords = "any bytes at all";
    records = random_() % 3 == 0 ? std::string_view() : kRecords.substr(random_() % 16);
  }
  void Field(Records& records) { records.bytes = Text(); }
  void Field(Uuid& id) {
    for (char& c : id.bytes) c = static_cast<char>(random_());
  }
  template <class T>
  void Field(std::vector<T>& items) {
    items.resize(random_() % 4);
    for (auto& item : items) Field(item);
  }
  template <class T>
  void Field(std::optional<std::vector<T>>& items) {
    items.reset();
    if (random_() % 3 != 0) Field(items.emplace());
  }
  template <Message<Filler> T>
  void Field(T& message) {
    message.Visit(*this);
  }
  template <Message<Filler> T>
  void Field(std::optional<T>& message) {
    message.reset();
    if (random_() % 3 != 0) Field(message.emplace());
  }

 private:
  std::string Text() {
    const size_t length = random_() % 10 == 0 ? random_() % 400 : random_() % 8;
    std::string text(length, '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  std::mt19937_64 random_;
};

template <class T>
void RoundTrip(const Api& api, int version, uint64_t seed) {
  const bool flexible = version >= api.flexible_from;
  T message;
  Filler(seed, version, flexible).Field(message);
  std::string bytes;
  WireWriter(&bytes, version, flexible).Field(message);
  T copy;
  WireReader reader(bytes, version, flexible);
  reader.Field(copy);
  EXPECT_TRUE(reader.ok()) << reader.fault();
  EXPECT_EQ(reader.left(), 0u);
  std::string again;
  WireWriter(&again, version, flexible).Field(copy);
  EXPECT_EQ(bytes, again);
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 50) {
    T cut;
    WireReader short_reader(std::string_view(bytes).substr(0, length), version, flexible);
    short_reader.Field(cut);
    EXPECT_FALSE(short_reader.ok()) << length << " of " << bytes.size();
  }
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20 && !bytes.empty(); i++) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    T any;
    WireReader(damaged, version, flexible).Field(any);
  }
}

TEST(CodecTest, EveryMessageInEveryVersionReadsBackAsWritten) {
  int apis = 0;
  ForEachApi([&]<class Request, class Response>(int16_t key) {
    const Api* api = FindApi(key);
    ASSERT_NE(api, nullptr) << key;
    apis++;
    for (int version = api->min_version; version <= api->max_version; version++) {
      SCOPED_TRACE(std::string(api->name) + " v" + std::to_string(version));
      for (uint64_t seed = 1; seed <= 20; seed++) {
        RoundTrip<Request>(*api, version, seed);
        RoundTrip<Response>(*api, version, seed);
      }
    }
  });
  EXPECT_EQ(apis, std::ssize(AllApis())) << "kafka/message_list.h lacks an API";
}

TEST(CodecTest, TaggedFieldsArePassedOver) {
  // HeartbeatRequest v4 with two tagged fields, as a client of the future might send them.
  const std::string bytes("\x02g\0\0\0\x07\x02m\0\x02\x05\x01x\x63\x03yyy", 18);
  HeartbeatRequest request;
  WireReader reader(bytes, 4, true);
  reader.Field(request);
  EXPECT_TRUE(reader.ok()) << reader.fault();
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(request.group_id, "g");
  EXPECT_EQ(request.generation_id, 7);
  EXPECT_EQ(request.member_id, "m");
  EXPECT_FALSE(request.group_instance_id);
}

TEST(CodecTest, AnArrayThatClaimsTooMuchTakesNoMemory) {
  const std::string bytes("\x7f\xff\xff\xff", 4);
  std::vector<int64_t> numbers;
  WireReader reader(bytes, 0, false);
  reader.Field(numbers);
  EXPECT_FALSE(reader.ok());
  EXPECT_LT(numbers.capacity(), 10u);
}

TEST(CodecTest, NullWhereAValueMustBeIsRefused) {
  std::string text;
  WireReader reader(std::string_view("\xff\xff", 2), 0, false);
  reader.Field(text);
  EXPECT_FALSE(reader.ok());
  std::optional<std::string> nullable = "x";
  WireReader again(std::string_view("\xff\xff", 2), 0, false);
  again.Field(nullable);
  EXPECT_TRUE(again.ok());
  EXPECT_FALSE(nullable);
}

}  // namespace
}  // namespace millrace::kafka
