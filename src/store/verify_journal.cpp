#include "text.hpp"

#include <locara/store/verify_journal.hpp>

namespace locara::store {

namespace {

constexpr std::string_view kMagic = "locara-verify 1 ";
constexpr std::string_view kEnd = "end ";
constexpr std::size_t kDigestDigits = 64;

/// Takes " <check>" of what stands before it off the end of a line.
bool take_check(std::string_view& line) {
    const auto space = line.rfind(' ');
    if (space == std::string_view::npos ||
        line.substr(space + 1) != short_check(line.substr(0, space))) {
        return false;
    }
    line = line.substr(0, space);
    return true;
}

std::string with_check(const std::string& line) {
    return line + " " + short_check(line) + "\n";
}

} // namespace

std::optional<VerifyJournal> VerifyJournal::parse(std::string_view text) {
    VerifyJournal journal;
    const std::size_t all = text.size();
    std::string_view line;
    if (text.size() > kMaxVerifyJournalBytes || !take_line(text, line) || !take_check(line) ||
        !take(line, kMagic)) {
        return std::nullopt;
    }
    const auto started = parse_time(line);
    if (!started) {
        return std::nullopt;
    }
    journal.started = *started;
    journal.valid_bytes = all - text.size();
    while (!journal.ended && take_line(text, line) && take_check(line)) {
        if (take(line, kEnd)) {
            const auto when = parse_time(line);
            if (!when) {
                break;
            }
            journal.ended = *when;
        } else if (take(line, "+ ") && line.size() > kDigestDigits && line[kDigestDigits] == ' ') {
            const auto digest = crypto::Sha256Digest::parse(line.substr(0, kDigestDigits));
            const auto when = parse_time(line.substr(kDigestDigits + 1));
            if (!digest || !when) {
                break;
            }
            journal.good.insert_or_assign(*digest, *when);
        } else {
            break;
        }
        journal.valid_bytes = all - text.size();
    }
    return journal;
}

std::string VerifyJournal::render_start(TimePoint started) {
    return with_check(std::string(kMagic) + render_time(started));
}

std::string VerifyJournal::render_good(const crypto::Sha256Digest& digest, TimePoint when) {
    return with_check("+ " + digest.render() + " " + render_time(when));
}

std::string VerifyJournal::render_end(TimePoint when) {
    return with_check(std::string(kEnd) + render_time(when));
}

} // namespace locara::store
