// What must not be seen where people look: logs, errors, EXPLAIN, SHOW CREATE TABLE, the page.
//
// A value is secret by the name of its option (or URL parameter): password, passwd, secret, token,
// credential, authorization, api key, private key, or a header of requests; or because it is who
// logs in within a URL
// ("user:password@host"). References ("${env:PG_PASSWORD}") are no secrets and stay.
#pragma once

#include <string>
#include <string_view>

namespace millrace::model {

constexpr const char* kMasked = "******";

bool IsSecretName(std::string_view name);

// The value of option `name` as people may see it.
std::string ShownValue(std::string_view name, std::string_view value);

// `text` without what URLs in it say of who logs in, nor values of their secret parameters.
std::string MaskUrls(std::string_view text);

// An SQL text without the values of secret options ('password' = '…') and what MaskUrls takes out;
// otherwise unchanged.
std::string MaskSql(std::string_view sql);

}  // namespace millrace::model
