// Searching a source for bytes, in windows: for what stands anywhere in a large file.
#pragma once

#include "cursor.hpp"

#include <functional>
#include <string_view>

namespace locara::formats {

/// Calls `on_match` with each occurrence of `needle` and up to `context` bytes behind it, in order,
/// until it answers false. Looks at the first `limit_bytes`. Io if a read fails.
inline Status
for_each_match(const ByteSource& source,
               std::string_view needle,
               std::size_t context,
               std::uint64_t limit_bytes,
               const std::function<bool(std::uint64_t offset, std::string_view behind)>& on_match) {
    constexpr std::size_t kStep = 1U << 20U;
    const std::uint64_t size = std::min(source.size(), limit_bytes);
    const std::uint64_t overlap = needle.size() + context;
    std::string window;
    for (std::uint64_t begin = 0; begin < size; begin += kStep) {
        // Matches start in this step; what follows them may lie in the next one.
        window.resize(static_cast<std::size_t>(std::min(size - begin, kStep + overlap)));
        LOCARA_CHECK(
            source.read(begin, std::as_writable_bytes(std::span(window.data(), window.size()))));
        for (std::size_t at = window.find(needle); at != std::string::npos && at < kStep;
             at = window.find(needle, at + 1)) {
            if (!on_match(begin + at,
                          std::string_view(window).substr(at + needle.size(), context))) {
                return {};
            }
        }
    }
    return {};
}

} // namespace locara::formats
