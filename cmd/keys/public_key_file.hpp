// Public keys as files (FILE.pub): the key object of TUF 1.0.34, section 4.2, as JSON.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/keys.hpp>

#include <filesystem>
#include <string>

/// One line of JSON with a newline at the end.
std::string render_public_key(const locara::crypto::PublicKey& key);

/// Reads such a file. NotFound; InvalidArgument or Unsupported if it is none.
locara::Result<locara::crypto::PublicKey> read_public_key(const std::filesystem::path& path);
