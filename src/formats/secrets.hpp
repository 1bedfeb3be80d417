// Secrets in text: keys and access tokens that somebody published by mistake.
//
// A table of token formats; where a service puts a checksum into its tokens it has to be right,
// elsewhere a token has to look random. Placeholders of documentation are not taken for secrets.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <optional>
#include <string_view>

namespace locara::formats {

/// The first secret: a Finding "secret.token" or "secret.private-key" that does not repeat it.
std::optional<Finding> find_secret(std::string_view text);

/// The same for a source of any size, in windows of 1 MiB that overlap by more than a key takes.
/// Looks at the first 256 MiB.
Checked<std::optional<Finding>> find_secret(const ByteSource& source);

} // namespace locara::formats
