// StoreAccess: who may read and write a table's files, as the table's options and its catalog say.
//
// A catalog may tell the store's address and vend credentials for a table, which end after a while.
// What the options say counts before that.
// Source: Iceberg REST catalog, LoadTableResult ("config", "storage-credentials"); the properties
// of Iceberg's S3FileIO.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <map>
#include <string>

#include "connectors/s3/s3_options.h"

namespace millrace::connectors::iceberg {

// Properties of a file IO, by their names: "s3.endpoint", "client.region".
using StoreProperties = std::map<std::string, std::string>;

// Adds what the member `name` of `json` says, over what is there.
void AddProperties(const simdjson::dom::element& json, const char* name,
                   StoreProperties& properties);
// Of the credentials of an answer that shows a table, those that are meant for `location`.
void AddCredentials(const simdjson::dom::element& answer, const std::string& location,
                    StoreProperties& properties);

// `given`: by the options.
s3::Access AccessFor(const s3::Access& given, const StoreProperties& told);
// When the credentials that were told end, in milliseconds since 1970; 0: they are not told to.
int64_t CredentialsEndMs(const StoreProperties& told);

}  // namespace millrace::connectors::iceberg
