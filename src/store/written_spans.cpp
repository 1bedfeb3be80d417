#include "text.hpp"

#include <locara/store/part_journal.hpp>
#include <locara/store/written_spans.hpp>

#include <optional>

namespace locara::store {

namespace {

// 2^44 has 14 decimal digits: a slot is as long as every other.
constexpr std::size_t kNumberDigits = 14;
static_assert(kWrittenSlotBytes == sizeof("+ 12345678901234 12345678901234 01234567\n") - 1);

std::string render_number(std::uint64_t value) {
    const std::string digits = std::to_string(value);
    return std::string(kNumberDigits - digits.size(), ' ') + digits;
}

std::optional<std::uint64_t> take_padded(std::string_view& text) {
    std::string_view number = text.substr(0, kNumberDigits);
    if (number.find_first_not_of(' ') == std::string_view::npos) {
        return std::nullopt;
    }
    number.remove_prefix(number.find_first_not_of(' '));
    const auto value = take_number(number);
    if (!value || !number.empty()) {
        return std::nullopt;
    }
    text.remove_prefix(kNumberDigits);
    return value;
}

std::optional<Span> parse_slot(const WrittenSpans& written, std::string_view slot) {
    std::string_view rest = slot;
    if (!take(rest, "+ ")) {
        return std::nullopt;
    }
    const auto first = take_padded(rest);
    if (!first || !take(rest, " ")) {
        return std::nullopt;
    }
    const auto end = take_padded(rest);
    if (!end || *first >= *end || *end > written.size) {
        return std::nullopt;
    }
    const Span span{*first, *end};
    return slot == written.render_slot(span) ? std::optional(span) : std::nullopt;
}

} // namespace

std::string WrittenSpans::render_head() const {
    return "locara-written 1 " + digest.render() + " " + std::to_string(size) + " " + boot + "\n";
}

std::string WrittenSpans::render_slot(Span span) const {
    LOCARA_ASSERT(span.first < span.end && span.end <= size && size <= kMaxFileBytes);
    return "+ " + render_number(span.first) + " " + render_number(span.end) + " " +
           span_check(digest, size, span) + "\n";
}

SpanSet WrittenSpans::parse(std::string_view text) const {
    SpanSet spans;
    if (boot.empty() || !take(text, render_head())) {
        return spans;
    }
    for (std::size_t slot = 0; slot < kWrittenSlots && text.size() >= kWrittenSlotBytes; ++slot) {
        if (const auto span = parse_slot(*this, text.substr(0, kWrittenSlotBytes))) {
            spans.add(*span);
        }
        text.remove_prefix(kWrittenSlotBytes);
    }
    return spans;
}

} // namespace locara::store
