#include "text.hpp"

#include <charconv>

namespace locara::store {

std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || (text.front() == '0' && end != text.data() + 1)) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) {
        return false;
    }
    text.remove_prefix(expected.size());
    return true;
}

bool take_line(std::string_view& text, std::string_view& line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
        return false;
    }
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
}

std::string short_check(std::string_view text) {
    constexpr std::size_t kDigits = 8;
    return crypto::sha256(as_bytes(text)).render().substr(0, kDigits);
}

std::string span_check(const crypto::Sha256Digest& digest, std::uint64_t size, Span span) {
    return short_check(digest.render() + " " + std::to_string(size) + " " +
                       std::to_string(span.first) + " " + std::to_string(span.end));
}

} // namespace locara::store
