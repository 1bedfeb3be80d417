// The body of a batch call of a bucket: JSON documents, one a line, each one change.
// Threads: a plain function.
#pragma once

#include "refusal.hpp"

#include <locara/base/bytes.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

inline constexpr std::uint64_t kBatchBodyLimit = 32U << 20U;
inline constexpr std::size_t kBatchLimit = 10'000;

struct BatchOperation {
    enum class Kind { Add, Copy, Remove };
    Kind kind = Kind::Add;
    std::string path;                     ///< As it was sent; not looked at yet.
    xet::FileHash xet;                    ///< Add, Copy.
    std::optional<std::int64_t> modified; ///< Add: milliseconds since 1970.
    std::string content_type;             ///< Add: at most 255 bytes, else empty.
    std::string source_type;              ///< Copy: "model", "dataset", "space", "bucket".
    std::string source_id;                ///< Copy: "namespace/name".
};

/// Reads all lines. Refusals: 400, with the number of the line, for what is no such body; 413 for
/// more than kBatchLimit.
Answer<std::vector<BatchOperation>> read_batch(ByteView body);

} // namespace locara::hub
