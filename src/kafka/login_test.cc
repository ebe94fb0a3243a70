// Clients that log in, over the port: every mechanism, and everything that may go wrong.
#include "kafka/server_fixture.h"

namespace millrace::kafka {
namespace {

const std::vector<std::string> kMechanisms = {"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"};

class LoginTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    options_.listeners.front().sasl = true;
    options_.passwords = {{"admin", "admin's secret"}, {"a,b=c", ""}};
    options_.login_delay_ms = 1;
    Start();
  }
  static bool IsServed(TestClient& client) {
    const auto answer = client.Ask<MetadataResponse>(3, 9, MetadataRequest());
    return answer && answer->brokers.size() == 1;
  }
  std::optional<int16_t> Alter(TestClient& client, AlterUserScramCredentialsRequest request) {
    const auto answer = client.Ask<AlterUserScramCredentialsResponse>(51, 0, std::move(request));
    if (!answer || answer->users.size() != 1) return std::nullopt;
    return answer->users[0].error_code;
  }
  static AlterUserScramCredentialsRequest::Upsertion Upsertion(const std::string& user,
                                                               ScramHash hash,
                                                               const std::string& password) {
    return {user,
            static_cast<int8_t>(hash),
            4096,
            {"salt"},
            {SaltPassword(hash, password, "salt", 4096)}};
  }
};

TEST_F(LoginTest, EveryMechanismServesTheRightPasswordOnly) {
  for (const std::string& mechanism : kMechanisms) {
    SCOPED_TRACE(mechanism);
    for (int i = 0; i < 2; i++) {  // PLAIN knows a password again
      TestClient client = Connect();
      EXPECT_EQ(client.LogIn("admin", "admin's secret", mechanism), kNone);
      EXPECT_TRUE(IsServed(client));
    }
    for (const auto& [user, password] : std::map<std::string, std::string>{
             {"admin", "wrong"}, {"nobody", "admin's secret"}, {"admin2", ""}}) {
      TestClient client = Connect();
      EXPECT_EQ(client.LogIn(user, password, mechanism), kSaslAuthenticationFailed);
      EXPECT_FALSE(IsServed(client)) << "the connection is closed";
    }
  }
  TestClient client = Connect();
  EXPECT_EQ(client.LogIn("a=2Cb=3Dc", "", "SCRAM-SHA-256"), kNone);
}

TEST_F(LoginTest, NothingElseIsServedBefore) {
  ForEachApi([&]<class Request, class Response>(int16_t key) {
    if (key == kApiVersionsKey || key == kSaslHandshakeKey || key == kSaslAuthenticateKey) return;
    TestClient client = Connect();
    EXPECT_FALSE(client.Ask<Response>(key, FindApi(key)->max_version, Request())) << key;
  });
  TestClient client = Connect();
  EXPECT_TRUE(client.Ask<ApiVersionsResponse>(18, 3, ApiVersionsRequest()));
  EXPECT_EQ(client.LogIn("admin", "admin's secret"), kNone);
  EXPECT_TRUE(IsServed(client));
}

TEST_F(LoginTest, StepsOutOfOrderAreIllegal) {
  TestClient client = Connect();
  const auto early = client.Ask<SaslAuthenticateResponse>(36, 2, SaslAuthenticateRequest());
  ASSERT_TRUE(early);
  EXPECT_EQ(early->error_code, kIllegalSaslState);
  const auto unknown = client.Ask<SaslHandshakeResponse>(17, 1, SaslHandshakeRequest{"GSSAPI"});
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->error_code, kUnsupportedSaslMechanism);
  EXPECT_EQ(unknown->mechanisms, kMechanisms);
  EXPECT_EQ(client.LogIn("admin", "admin's secret"), kNone);
  EXPECT_EQ(client.LogIn("admin", "admin's secret"), kIllegalSaslState) << "a second time";
  EXPECT_TRUE(IsServed(client));
}

TEST_F(LoginTest, OnlyMechanismsThatAreSetAreServed) {
  options_.sasl_mechanisms = {"SCRAM-SHA-256"};
  Start();
  EXPECT_EQ(Connect().LogIn("admin", "admin's secret", "PLAIN"), kUnsupportedSaslMechanism);
  EXPECT_EQ(Connect().LogIn("admin", "admin's secret", "SCRAM-SHA-256"), kNone);
}

TEST_F(LoginTest, AnOldHandshakeIsFollowedByBareTokens) {
  for (const bool right : {true, false}) {
    TestClient client = Connect();
    ASSERT_TRUE(client.Ask<SaslHandshakeResponse>(17, 0, SaslHandshakeRequest{"PLAIN"}));
    client.SendFrame(std::string("\0admin\0", 7) + (right ? "admin's secret" : "x"));
    EXPECT_EQ(client.ReadFrame(), right ? std::optional<std::string>("") : std::nullopt);
    EXPECT_EQ(IsServed(client), right);
  }
}

TEST_F(LoginTest, ALargeRequestBeforeClosesTheConnection) {
  TestClient client = Connect();
  client.SendBytes(std::string("\0\x01\0\x01\0\x24", 6));
  EXPECT_FALSE(client.ReadFrame());
}

TEST_F(LoginTest, UsersMadeOverThePortAreKept) {
  TestClient admin = Connect();
  ASSERT_EQ(admin.LogIn("admin", "admin's secret"), kNone);
  for (const ScramHash hash : kScramHashes) {
    const std::string name = std::string("user ") + MechanismOf(hash);
    EXPECT_EQ(Alter(admin, {{}, {Upsertion(name, hash, "first")}}), kNone);
    EXPECT_EQ(Alter(admin, {{}, {Upsertion(name, hash, "second")}}), kNone);
  }
  for (int restart = 0; restart < 2; restart++) {
    for (const ScramHash hash : kScramHashes) {
      const std::string name = std::string("user ") + MechanismOf(hash);
      for (const std::string& mechanism : {std::string("PLAIN"), std::string(MechanismOf(hash))}) {
        EXPECT_EQ(Connect().LogIn(name, "second", mechanism), kNone);
        EXPECT_EQ(Connect().LogIn(name, "first", mechanism), kSaslAuthenticationFailed);
      }
    }
    Start();
  }
  TestClient again = Connect();
  ASSERT_EQ(again.LogIn("admin", "admin's secret"), kNone);
  const auto all =
      again.Ask<DescribeUserScramCredentialsResponse>(50, 0, DescribeUserScramCredentialsRequest());
  ASSERT_TRUE(all);
  std::vector<std::string> names;
  for (const auto& user : all->users) names.push_back(user.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a,b=c", "admin", "user SCRAM-SHA-256",
                                             "user SCRAM-SHA-512"}));
  EXPECT_EQ(Alter(again, {{{"user SCRAM-SHA-256", 1}}, {}}), kNone);
  EXPECT_EQ(Alter(again, {{{"user SCRAM-SHA-256", 1}}, {}}), kResourceNotFound);
  EXPECT_EQ(Connect().LogIn("user SCRAM-SHA-256", "second"), kSaslAuthenticationFailed);
}

TEST_F(LoginTest, CredentialsThatCannotBeAreRefused) {
  TestClient admin = Connect();
  ASSERT_EQ(admin.LogIn("admin", "admin's secret"), kNone);
  const auto good = Upsertion("u", ScramHash::kSha256, "p");
  auto few = good, many = good, unsalted = good, other = good, nameless = good, declared = good;
  few.iterations = 4095;
  many.iterations = 16385;
  unsalted.salt.value.clear();
  other.mechanism = 3;
  nameless.name.clear();
  declared.name = "admin";
  for (const auto& bad : {few, many, unsalted, nameless, declared}) {
    EXPECT_EQ(Alter(admin, {{}, {bad}}), kUnacceptableCredential);
  }
  EXPECT_EQ(Alter(admin, {{}, {other}}), kUnsupportedSaslMechanism);
  EXPECT_EQ(Alter(admin, {{}, {good, good}}), kDuplicateResource);
  EXPECT_EQ(Alter(admin, {{{"u", 1}}, {}}), kResourceNotFound) << "nothing of it was done";
  DescribeUserScramCredentialsRequest unknown;
  unknown.users.emplace().push_back({"u"});
  const auto described = admin.Ask<DescribeUserScramCredentialsResponse>(50, 0, unknown);
  ASSERT_TRUE(described && described->users.size() == 1);
  EXPECT_EQ(described->users[0].error_code, kResourceNotFound);
}

TEST_F(LoginTest, ADamagedFileOfUsersIsToldAtTheStart) {
  TestClient admin = Connect();
  ASSERT_EQ(admin.LogIn("admin", "admin's secret"), kNone);
  ASSERT_EQ(Alter(admin, {{}, {Upsertion("u", ScramHash::kSha256, "p")}}), kNone);
  server_.reset();
  const auto whole = env::ReadWholeFile(files_, "/security");
  ASSERT_TRUE(whole.ok());
  for (size_t length = 0; length < whole->size(); length += 7) {
    EXPECT_FALSE(DecodeSecurity(whole->substr(0, length)).ok()) << length;
  }
  std::string damaged = *whole;
  damaged[damaged.size() / 2] ^= 1;
  ASSERT_TRUE(env::ReplaceFile(files_, "/security", damaged).ok());
  const auto server = KafkaServer::Start(*log_, *env::Clock::System(), options_);
  EXPECT_EQ(server.status().code(), Code::kCorruption);
}

}  // namespace
}  // namespace millrace::kafka
