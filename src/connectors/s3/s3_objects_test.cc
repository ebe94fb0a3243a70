#include "connectors/s3/s3_objects.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/http_service.h"
#include "tests/support/s3_server.h"

namespace millrace::connectors::s3 {
namespace {

using test::S3Server;

constexpr int64_t kTimeoutMs = 60'000;
constexpr const char* kFolder = "s3://data-lake/a b/c=d%2F/";

Access AccessTo(const S3Server& server) {
  return {{"endpoint", server.Endpoint()},
          {"use_ssl", "false"},
          {"url_style", "path"},
          {"key_id", S3Server::kKeyId},
          {"secret", S3Server::kSecret}};
}

class S3ObjectsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!S3Server::Available()) GTEST_SKIP() << "no S3 server: scripts/setup.sh";
    server_ = S3Server::Start();
    ASSERT_NE(server_, nullptr);
  }

  std::unique_ptr<S3Server> server_;
};

TEST_F(S3ObjectsTest, WritesReadsAndRemoves) {
  S3Objects objects(AccessTo(*server_), kFolder, kTimeoutMs);
  const std::string name = std::string(kFolder) + "x+ü.json";
  EXPECT_EQ(objects.Read(name).status().code(), Code::kNotFound);
  EXPECT_FALSE(*objects.Exists(name));
  const std::string bytes("line\n\0zero", 10);
  ASSERT_TRUE(objects.WriteNew(name, bytes).ok()) << objects.WriteNew(name, bytes).ToString();
  EXPECT_EQ(*objects.Read(name), bytes);
  EXPECT_TRUE(*objects.Exists(name));
  EXPECT_EQ(objects.WriteNew(name, "other").code(), Code::kAlreadyExists);
  EXPECT_EQ(*objects.Read(name), bytes);
  ASSERT_TRUE(objects.Write(name, "").ok());
  EXPECT_EQ(*objects.Read(name), "");
  ASSERT_TRUE(objects.Remove(name).ok());
  ASSERT_TRUE(objects.Remove(name).ok());
  EXPECT_FALSE(*objects.Exists(name));
  EXPECT_TRUE(objects.CheckWriteNew(name).ok());
  EXPECT_FALSE(*objects.Exists(name));
}

// Of many writers of one name one succeeds, each time.
TEST_F(S3ObjectsTest, BelongsToOneOfManyWriters) {
  constexpr int kWriters = 8, kNames = 20;
  std::atomic<int> made = 0, refused = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; w++) {
    writers.emplace_back([&] {
      S3Objects objects(AccessTo(*server_), kFolder, kTimeoutMs);
      for (int n = 0; n < kNames; n++) {
        const Status done = objects.WriteNew(kFolder + std::to_string(n), "x");
        made += done.ok() ? 1 : 0;
        refused += done.code() == Code::kAlreadyExists ? 1 : 0;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(made.load(), kNames);
  EXPECT_EQ(refused.load(), kNames * (kWriters - 1));
}

TEST_F(S3ObjectsTest, SaysWhatIsWrong) {
  Access access = AccessTo(*server_);
  access["secret"] = "another";
  S3Objects stranger(access, kFolder, kTimeoutMs);
  const Status refused = stranger.Write(std::string(kFolder) + "x", "y");
  EXPECT_NE(refused.message().find("status 403"), std::string::npos) << refused.ToString();
  EXPECT_NE(refused.hint().find("s3.key-id"), std::string::npos) << refused.ToString();
  EXPECT_EQ(refused.ToString().find("another"), std::string::npos);
  S3Objects nowhere(AccessTo(*server_), "s3://no-such-bucket/x", kTimeoutMs);
  const Status missing = nowhere.Read("s3://no-such-bucket/x").status();
  EXPECT_NE(missing.code(), Code::kNotFound);
  EXPECT_NE(missing.ToString().find("NoSuchBucket"), std::string::npos) << missing.ToString();
  server_->Kill();
  S3Objects objects(AccessTo(*server_), kFolder, kTimeoutMs);
  const Status away = objects.Write(std::string(kFolder) + "x", "y");
  EXPECT_EQ(away.retry(), Retry::kBackoff);
  EXPECT_NE(away.message().find(server_->Endpoint()), std::string::npos) << away.ToString();
}

// A store that takes no notice of If-None-Match, and one that says so.
TEST(S3ObjectsOfOldStores, AreNotTrusted) {
  for (const int status : {200, 501}) {
    test::HttpService store([&](const test::HttpRequest& request) {
      const bool asks = request.head.find("If-None-Match: *") != std::string::npos;
      return test::HttpAnswer{.status = asks ? status : 200, .body = {}};
    });
    S3Objects objects({{"endpoint", store.Url("").substr(sizeof "http://" - 1)},
                       {"use_ssl", "false"},
                       {"url_style", "path"}},
                      "s3://b/x", kTimeoutMs);
    const Status refused = objects.CheckWriteNew("s3://b/x");
    EXPECT_EQ(refused.code(), Code::kUnsupported) << refused.ToString();
    EXPECT_EQ(refused.retry(), Retry::kNever);
  }
}

}  // namespace
}  // namespace millrace::connectors::s3
