// Certificates that change under a server: new connections get the new one, whatever way it came.
#include "kafka/security/tls_files.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

namespace millrace::kafka {
namespace {

namespace fs = std::filesystem;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

std::string Pem(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  EXPECT_EQ(write(out.get()), 1);
  char* bytes = nullptr;
  const auto length = static_cast<size_t>(BIO_get_mem_data(out.get(), &bytes));
  return std::string(bytes, length);
}

struct Pair {
  std::string certificate;
  std::string key;
};

// Signed by itself. `password` "": the key is not encrypted.
Pair MakePair(const std::string& name, const std::string& password = "") {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), subject);
  EXPECT_GT(X509_sign(made.get(), key.get(), EVP_sha256()), 0);
  const EVP_CIPHER* cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  return {Pem([&](BIO* out) { return PEM_write_bio_X509(out, made.get()); }),
          Pem([&](BIO* out) {
            return PEM_write_bio_PKCS8PrivateKey(out, key.get(), cipher, nullptr, 0, nullptr,
                                                 const_cast<char*>(password.c_str()));
          })};
}

class TlsFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / fmt::format("tls_files_test.{}", getpid());
    fs::create_directories(directory_);
    options_.certificate = (directory_ / "server.pem").string();
    options_.key = (directory_ / "server.key").string();
    Put(MakePair("one"));
  }
  void TearDown() override { fs::remove_all(directory_); }

  // In one step each.
  static void Replace(const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    fs::rename(path + ".new", path);
  }
  void Put(const Pair& pair) {
    Replace(options_.certificate, pair.certificate);
    Replace(options_.key, pair.key);
  }
  static std::string NameOf(const TlsFiles& files) {
    const auto context = files.current();
    X509* certificate = SSL_CTX_get0_certificate(context->native_handle());
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    return name;
  }
  static void Await(const TlsFiles& files, const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (NameOf(files) != name) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << "it stays \"" << NameOf(files) << "\" instead of \"" << name << "\"";
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  fs::path directory_;
  TlsOptions options_;
};

TEST_F(TlsFilesTest, AreReadAgainWhenTheyChange) {
  const auto files = *TlsFiles::Open(options_);
  EXPECT_EQ(NameOf(*files), "one");
  const auto held = files->current();
  Put(MakePair("two"));
  Await(*files, "two");
  EXPECT_NE(held, files->current()) << "connections keep what they have";
  // Written in place.
  const Pair three = MakePair("three");
  std::ofstream(options_.key) << three.key;
  std::ofstream(options_.certificate) << three.certificate;
  Await(*files, "three");
}

TEST_F(TlsFilesTest, WhatDoesNotFitChangesNothing) {
  const auto files = *TlsFiles::Open(options_);
  const Pair two = MakePair("two");
  Replace(options_.certificate, two.certificate);  // with the key of "one"
  Replace((directory_ / "other").string(), "x");
  EXPECT_EQ(NameOf(*files), "one");
  Replace(options_.key, "no key");
  EXPECT_EQ(NameOf(*files), "one");
  fs::remove(options_.key);
  EXPECT_EQ(NameOf(*files), "one");
  Replace(options_.key, two.key);
  Await(*files, "two");
}

// As Kubernetes mounts secrets: files are links through a link to a directory, which is replaced.
TEST_F(TlsFilesTest, LinksThatArePointedElsewhereAreSeen) {
  for (const std::string& name : {std::string("a"), std::string("b")}) {
    const fs::path version = directory_ / ("..version_" + name);
    fs::create_directories(version);
    const Pair pair = MakePair(name);
    std::ofstream(version / "tls.crt") << pair.certificate;
    std::ofstream(version / "tls.key") << pair.key;
  }
  fs::create_directory_symlink("..version_a", directory_ / "..data");
  for (const char* file : {"tls.crt", "tls.key"}) {
    fs::create_symlink(fs::path("..data") / file, directory_ / file);
  }
  options_.certificate = (directory_ / "tls.crt").string();
  options_.key = (directory_ / "tls.key").string();
  const auto files = *TlsFiles::Open(options_);
  EXPECT_EQ(NameOf(*files), "a");
  fs::create_directory_symlink("..version_b", directory_ / "..data_tmp");
  fs::rename(directory_ / "..data_tmp", directory_ / "..data");
  Await(*files, "b");
}

TEST_F(TlsFilesTest, AnEncryptedKeyNeedsItsPassword) {
  Put(MakePair("secret", "its password"));
  for (const char* wrong : {"", "another"}) {
    options_.key_password = wrong;
    const auto refused = TlsFiles::Open(options_);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
    EXPECT_NE(refused.status().hint().find("key-password"), std::string::npos);
  }
  options_.key_password = "its password";
  const auto files = TlsFiles::Open(options_);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  EXPECT_EQ(NameOf(**files), "secret");
  Put(MakePair("next", "its password"));
  Await(**files, "next");
}

}  // namespace
}  // namespace millrace::kafka
