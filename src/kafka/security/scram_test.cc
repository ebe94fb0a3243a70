// SCRAM against RFC 7677's example, and against a client made of the same functions.
#include "kafka/security/scram.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/strings.h"

namespace millrace::kafka {
namespace {

TEST(ScramTest, Rfc7677Example) {
  const std::string salt = DecodeBase64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const ScramCredential credential = CredentialOf(
      ScramHash::kSha256, salt, 4096, SaltPassword(ScramHash::kSha256, "pencil", salt, 4096));
  ScramExchange exchange(ScramHash::kSha256, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                         [&](const std::string&) { return credential; });
  const auto first = exchange.Take("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(exchange.user(), "user");
  EXPECT_EQ(*first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
            "i=4096");
  const auto last = exchange.Take(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  ASSERT_TRUE(last.ok()) << last.status().message();
  EXPECT_EQ(*last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  EXPECT_TRUE(exchange.done());
  EXPECT_FALSE(exchange.Take("n,,n=user,r=x").ok());
}

// A client that proves `password`; whether the server accepts it, and proves itself in turn.
bool LogsIn(ScramHash hash, const std::string& name, const std::string& password,
            const ScramCredential& credential, const std::string& nonces = "clientserver") {
  ScramExchange exchange(hash, "server", [&](const std::string&) { return credential; });
  const std::string bare = "n=" + name + ",r=client";
  const auto first = exchange.Take("n,," + bare);
  if (!first.ok()) return false;
  const std::string salted = SaltPassword(hash, password, credential.salt, credential.iterations);
  const std::string final_without_proof = "c=biws,r=" + nonces;
  const std::string all = bare + "," + *first + "," + final_without_proof;
  const ScramCredential own = CredentialOf(hash, credential.salt, credential.iterations, salted);
  std::string proof = Hmac(hash, salted, "Client Key");
  const std::string signature = Hmac(hash, own.stored_key, all);
  for (size_t i = 0; i < proof.size(); i++) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  const auto last = exchange.Take(final_without_proof + ",p=" + Base64(proof));
  return last.ok() && exchange.done() && *last == "v=" + Base64(Hmac(hash, own.server_key, all));
}

TEST(ScramTest, OnlyTheRightPasswordLogsIn) {
  for (const ScramHash hash : kScramHashes) {
    for (const std::string password : {"secret", "", "pass,word=1", "p\xC3\xA4ss"}) {
      const ScramCredential credential = NewCredential(hash, password);
      EXPECT_TRUE(LogsIn(hash, "alice", password, credential));
      EXPECT_FALSE(LogsIn(hash, "alice", password + "x", credential));
    }
  }
}

TEST(ScramTest, TheServersNonceMustComeBack) {
  const ScramHash hash = ScramHash::kSha256;
  const ScramCredential credential = NewCredential(hash, "secret");
  EXPECT_TRUE(LogsIn(hash, "a", "secret", credential, "clientclientserver")) << "old librdkafka";
  EXPECT_FALSE(LogsIn(hash, "a", "secret", credential, "client"));
  EXPECT_FALSE(LogsIn(hash, "a", "secret", credential, "clientserverclient"));
  EXPECT_FALSE(LogsIn(hash, "a", "secret", credential, "clientother"));
}

TEST(ScramTest, NamesAreEscaped) {
  const auto user_of = [](const std::string& name) {
    ScramExchange exchange(ScramHash::kSha512, "s", [](const std::string&) {
      return ScramCredential{"salt", 4096, "", ""};
    });
    return exchange.Take("n,,n=" + name + ",r=c").ok() ? exchange.user() : "refused";
  };
  EXPECT_EQ(user_of("a=2Cb=3Dc"), "a,b=c");
  EXPECT_EQ(user_of("a=b"), "refused");
  EXPECT_EQ(user_of("a="), "refused");
  EXPECT_EQ(user_of(""), "refused");
}

TEST(ScramTest, MalformedMessagesAreRefused) {
  const ScramCredential credential = NewCredential(ScramHash::kSha256, "secret");
  const auto find = [&](const std::string&) { return credential; };
  for (const char* first : {"", ",", "n,,", "n,,n=a", "p=tls-unique,,n=a,r=c", "n,a=b,n=a,r=c",
                            "n,x,n=a,r=c", "n,,n=a,r=", "n,,m=1,n=a,r=c"}) {
    EXPECT_FALSE(ScramExchange(ScramHash::kSha256, "s", find).Take(first).ok()) << first;
  }
  for (const char* last : {"", ",p=", "c=biws", "c=biws,r=cs", "c=biws,r=cs,p=",
                           "c=biws,r=c,p=AA==", "c=eSws,r=cs,p=AA==", "c=biws,r=cs,p=AA=="}) {
    ScramExchange exchange(ScramHash::kSha256, "s", find);
    ASSERT_TRUE(exchange.Take("n,,n=a,r=c").ok());
    EXPECT_FALSE(exchange.Take(last).ok()) << last;
    EXPECT_FALSE(exchange.done());
  }
}

}  // namespace
}  // namespace millrace::kafka
