// What an offline bundle says of itself: `bundle.json`, locara.dev/offline-bundle/v1.
//
// Format: docs/formats/offline-bundle.md. It is not signed and proves nothing; it says where to
// begin. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/manifest/ids.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

inline constexpr std::uint64_t kOfflineBundleLimitBytes = 64U << 10U;
inline constexpr std::size_t kOfflineBundleAppLimit = 256;

struct OfflineBundle {
    std::string hub;          ///< Address of the hub, as written: 1 to 1,024 bytes.
    std::uint64_t root = 1;   ///< Version of the first root of its chain, from 1.
    std::vector<AppRef> apps; ///< Each with its version; no two equal.

    /// Errors: Unsupported (another schema), InvalidArgument (names the member and what is wanted),
    /// TooLarge (a limit).
    static Result<OfflineBundle> parse(std::string_view text);

    /// The inverse: JSON with a newline at the end.
    std::string render() const;
};

} // namespace locara::manifest
