// Taking the store's small text files apart. Private to the module.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/store/spans.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::store {

/// Takes a decimal number in its one spelling off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text);

/// Takes `expected` off the front; false (and nothing taken) if it is not there.
bool take(std::string_view& text, std::string_view expected);

/// Takes a line that has its newline; false (and nothing taken) if none is whole.
bool take_line(std::string_view& text, std::string_view& line);

/// The first 8 hex digits of the SHA-256 of a text: notices torn writes.
std::string short_check(std::string_view text);

/// The check of a note that a span of a file of this digest and size is there.
std::string span_check(const crypto::Sha256Digest& digest, std::uint64_t size, Span span);

} // namespace locara::store
