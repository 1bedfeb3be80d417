#include <locara/base/utf8.hpp>

#include <cstring>

namespace locara {

bool Utf8Checker::feed(std::string_view block) {
    if (!valid_) {
        return false;
    }
    for (std::size_t i = 0; i < block.size(); ++i) {
        if (pending_ == 0) { // most text is ASCII: eight bytes at once
            std::uint64_t word = 0;
            while (block.size() - i > sizeof(word)) {
                std::memcpy(&word, block.data() + i, sizeof(word));
                if ((word & 0x8080808080808080ULL) != 0) {
                    break;
                }
                i += sizeof(word);
            }
        }
        const auto byte = static_cast<std::uint8_t>(block[i]);
        if (pending_ > 0) {
            if (byte < low_ || byte > high_) {
                return valid_ = false;
            }
            low_ = 0x80;
            high_ = 0xBF;
            --pending_;
        } else if (byte < 0x80) {
            continue;
        } else if (byte >= 0xC2 && byte <= 0xDF) {
            pending_ = 1;
        } else if (byte >= 0xE0 && byte <= 0xEF) {
            pending_ = 2;
            low_ = byte == 0xE0 ? 0xA0 : 0x80;
            high_ = byte == 0xED ? 0x9F : 0xBF;
        } else if (byte >= 0xF0 && byte <= 0xF4) {
            pending_ = 3;
            low_ = byte == 0xF0 ? 0x90 : 0x80;
            high_ = byte == 0xF4 ? 0x8F : 0xBF;
        } else {
            return valid_ = false;
        }
    }
    return true;
}

bool is_utf8(std::string_view text) {
    Utf8Checker checker;
    return checker.feed(text) && checker.complete();
}

} // namespace locara
