// RenameNew: a rename that replaces nothing, for names that belong to whoever makes them first.
//
// Contract: of the machine's files (FileSystem::Real), among all its processes; durable after
// SyncDirectory.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::env {

// One step: kAlreadyExists when there is a `to`, and then nothing has happened. Within one file
// system, which must know such renames (NFS does not: kIo).
Status RenameNew(const std::string& from, const std::string& to);

}  // namespace millrace::env
