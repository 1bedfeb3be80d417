#include "protobuf.hpp"

#include "cursor.hpp"

namespace locara::formats {

namespace {

constexpr std::uint64_t kMaxNumber = (1U << 29U) - 1;
constexpr unsigned kMaxGroups = 100; // levels, as the parsers of protobuf have it

bool take_varint(Cursor& cursor, std::uint64_t& value) {
    value = 0;
    std::uint8_t byte = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!cursor.next(byte)) {
            return false;
        }
        value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        if ((byte & 0x80U) == 0) {
            return true;
        }
    }
    return false;
}

} // namespace

MessageEnd walk_message(const ByteSource& source,
                        std::uint64_t begin,
                        std::uint64_t length,
                        std::uint64_t& budget,
                        const std::function<bool(const MessageField& field)>& on_field) {
    const SliceSource message(source, begin, length);
    Cursor cursor(message, 0, 1024);
    unsigned groups = 0;
    while (cursor.remaining() > 0) {
        if (budget == 0) {
            return MessageEnd::Budget;
        }
        --budget;
        std::uint64_t tag = 0;
        std::uint64_t value = 0;
        if (!take_varint(cursor, tag) || (tag >> 3U) == 0 || (tag >> 3U) > kMaxNumber) {
            return MessageEnd::Broken;
        }
        MessageField field{
            .number = tag >> 3U, .wire = static_cast<unsigned>(tag & 7U), .begin = 0, .length = 0};
        bool read = false;
        switch (field.wire) {
        case 0:
            read = take_varint(cursor, value);
            break;
        case 1:
            read = cursor.skip(8);
            break;
        case 2:
            read = take_varint(cursor, value);
            field.begin = begin + cursor.offset();
            field.length = value;
            read = read && cursor.skip(value);
            break;
        case 3:
            read = ++groups <= kMaxGroups;
            break;
        case 4:
            read = groups > 0;
            groups -= read ? 1 : 0;
            break;
        case 5:
            read = cursor.skip(4);
            break;
        default:
            break;
        }
        if (!read) {
            return MessageEnd::Broken;
        }
        if (groups == 0 && field.wire != 4 && !on_field(field)) {
            return MessageEnd::Stopped;
        }
    }
    return groups == 0 && !cursor.io_error() ? MessageEnd::Whole : MessageEnd::Broken;
}

} // namespace locara::formats
