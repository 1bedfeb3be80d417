// One level of a protocol-buffers message, field by field, without a schema and without recursion.
// Source: protobuf.dev, "Encoding".
#pragma once

#include <locara/formats/byte_source.hpp>

#include <cstdint>
#include <functional>

namespace locara::formats {

struct MessageField {
    std::uint64_t number = 0; ///< From 1 up.
    unsigned wire = 0;        ///< 0 varint, 1 eight bytes, 2 delimited, 5 four bytes.
    std::uint64_t begin = 0;  ///< Of the content of a delimited field, in the source.
    std::uint64_t length = 0; ///< Its bytes, which lie within the message.
};

enum class MessageEnd {
    Whole,   ///< Fields up to the last byte.
    Broken,  ///< No message, or a read that failed.
    Budget,  ///< Fields so far, and more than may be looked at.
    Stopped, ///< `on_field` said so.
};

/// How many fields all walks over one file may look at.
inline constexpr std::uint64_t kMaxMessageFields = 10'000'000;

/// Calls `on_field` for each field of the message in [begin, begin + length), which lies within the
/// source; fields of groups are passed over, as parsers do with what they do not know. `budget` is
/// what is left of kMaxMessageFields.
MessageEnd walk_message(const ByteSource& source,
                        std::uint64_t begin,
                        std::uint64_t length,
                        std::uint64_t& budget,
                        const std::function<bool(const MessageField& field)>& on_field);

} // namespace locara::formats
