#include "model/masking.h"

#include <gtest/gtest.h>

namespace millrace::model {
namespace {

TEST(Masking, OptionsBySecretNames) {
  for (const char* name :
       {"password", "PASSWORD", "properties.sasl.password", "secret", "headers.authorization",
        "headers.x-tenant", "ssl.truststore.passwd", "sign.secret", "access-token"}) {
    EXPECT_EQ(ShownValue(name, "hush"), kMasked) << name;
    EXPECT_EQ(ShownValue(name, "${env:HUSH}"), "${env:HUSH}") << name;
    EXPECT_EQ(ShownValue(name, "${env:A}hush${env:B}"), kMasked) << name;
  }
  EXPECT_EQ(ShownValue("username", "anna"), "anna");
  EXPECT_EQ(ShownValue("index", "orders"), "orders");
}

TEST(Masking, Urls) {
  EXPECT_EQ(MaskUrls("redis://anna:hush@h:6379/0"), "redis://******@h:6379/0");
  EXPECT_EQ(MaskUrls("https://token@h"), "https://******@h");
  EXPECT_EQ(MaskUrls("https://a:p@ss@h/x@y"), "https://******@h/x@y");
  EXPECT_EQ(MaskUrls("jdbc:postgresql://h:5432/d?user=u&password=hush&ssl=true"),
            "jdbc:postgresql://h:5432/d?user=u&password=******&ssl=true");
  EXPECT_EQ(MaskUrls("cannot reach http://a:b@h/ or http://c:d@i: gone"),
            "cannot reach http://******@h/ or http://******@i: gone");
  EXPECT_EQ(MaskUrls("redis://anna:${env:PW}@h"), "redis://anna:${env:PW}@h");
  EXPECT_EQ(MaskUrls("mail me@example.org"), "mail me@example.org");
  EXPECT_EQ(MaskUrls("://"), "://");
  EXPECT_EQ(MaskUrls(""), "");
  EXPECT_EQ(MaskUrls("http://h/?token=a&token=b;secret=c#d"),
            "http://h/?token=******&token=******;secret=******#d");
}

TEST(Masking, Statements) {
  EXPECT_EQ(MaskSql("CREATE TABLE t (a INT) WITH ('password'='it''s', 'url' = 'redis://u:p@h')"),
            "CREATE TABLE t (a INT) WITH ('password'='******', 'url' = 'redis://******@h')");
  EXPECT_EQ(MaskSql("INSERT INTO t /*+ OPTIONS('secret' = 'x') */ SELECT 'it''s', a -- don't\n"
                    "WHERE b = 'password' /* can't */ AND c = '='"),
            "INSERT INTO t /*+ OPTIONS('secret' = '******') */ SELECT 'it''s', a -- don't\n"
            "WHERE b = 'password' /* can't */ AND c = '='");
  EXPECT_EQ(MaskSql("WITH ('a''password'\n=\n'x"), "WITH ('a''password'\n=\n'******");
  EXPECT_EQ(MaskSql("SELECT `it's`, \"don't\" FROM t"), "SELECT `it's`, \"don't\" FROM t");
  EXPECT_EQ(MaskSql("'"), "'");
  EXPECT_EQ(MaskSql("'password' = '${env:PW}'"), "'password' = '${env:PW}'");
}

}  // namespace
}  // namespace millrace::model
