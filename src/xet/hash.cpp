#include <locara/xet/hash.hpp>

#include <algorithm>

namespace locara::xet {

namespace {

/// The string form is the hex of the bytes with each group of eight turned round.
std::array<std::byte, kHashBytes> turn_groups(std::array<std::byte, kHashBytes> bytes) {
    for (std::size_t group = 0; group < kHashBytes; group += 8) {
        const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(group);
        std::reverse(first, first + 8);
    }
    return bytes;
}

} // namespace

std::string render_hash(const std::array<std::byte, kHashBytes>& bytes) {
    return render_hex(turn_groups(bytes));
}

Result<std::array<std::byte, kHashBytes>> parse_hash(std::string_view text) {
    const auto raw = parse_hex(text);
    if (!raw || raw->size() != kHashBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + std::string(text.substr(0, 80)) +
                         "' is not a Xet hash: 64 digits 0-9 a-f are wanted");
    }
    std::array<std::byte, kHashBytes> bytes{};
    std::copy(raw->begin(), raw->end(), bytes.begin());
    return turn_groups(bytes);
}

} // namespace locara::xet
