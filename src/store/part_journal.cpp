#include "text.hpp"

#include <locara/store/part_journal.hpp>

namespace locara::store {

namespace {

constexpr std::string_view kMagic = "locara-part 1 ";
constexpr std::size_t kDigestDigits = 64;

std::optional<Span> parse_span(const PartJournal& journal, std::string_view line) {
    if (!take(line, "+ ")) {
        return std::nullopt;
    }
    const auto first = take_number(line);
    if (!first || !take(line, " ")) {
        return std::nullopt;
    }
    const auto end = take_number(line);
    if (!end || !take(line, " ") || *first >= *end || *end > journal.size) {
        return std::nullopt;
    }
    const Span span{*first, *end};
    return line == span_check(journal.digest, journal.size, span) ? std::optional(span)
                                                                  : std::nullopt;
}

} // namespace

std::optional<PartJournal> PartJournal::parse(std::string_view text) {
    PartJournal journal;
    std::string_view line;
    if (text.size() > kMaxJournalBytes || !take_line(text, line) || !take(line, kMagic)) {
        return std::nullopt;
    }
    const auto digest = crypto::Sha256Digest::parse(line.substr(0, kDigestDigits));
    if (!digest) {
        return std::nullopt;
    }
    line.remove_prefix(kDigestDigits);
    if (!take(line, " ") || line.empty()) {
        return std::nullopt;
    }
    const auto size = take_number(line);
    if (!size || !line.empty() || *size > kMaxFileBytes) {
        return std::nullopt;
    }
    journal.digest = *digest;
    journal.size = *size;
    while (!text.empty()) {
        const auto span = take_line(text, line) ? parse_span(journal, line) : std::optional<Span>();
        if (!span) {
            journal.clean = false;
            break;
        }
        journal.spans.add(*span);
    }
    return journal;
}

std::string PartJournal::render() const {
    std::string text = std::string(kMagic) + digest.render() + " " + std::to_string(size) + "\n";
    for (const Span& span : spans.spans()) {
        text += render_line(span);
    }
    return text;
}

std::string PartJournal::render_line(Span span) const {
    LOCARA_ASSERT(span.first < span.end && span.end <= size);
    return "+ " + std::to_string(span.first) + " " + std::to_string(span.end) + " " +
           span_check(digest, size, span) + "\n";
}

} // namespace locara::store
