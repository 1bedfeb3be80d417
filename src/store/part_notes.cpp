#include "part_notes.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {

namespace {

constexpr std::uint64_t kMaxWrittenBytes = 64U << 10U;

/// Changes with every start of the machine; "" when the kernel does not tell.
const std::string& boot_id() {
    static const std::string id = [] {
        constexpr std::uint64_t kMaxBytes = 64;
        auto text = read_file("/proc/sys/kernel/random/boot_id", kMaxBytes);
        return text ? text->substr(0, text->find('\n')) : std::string();
    }();
    return id;
}

} // namespace

Result<PartJournal> load_journal(const Layout& layout, const Digest& digest, std::uint64_t size) {
    PartJournal empty;
    empty.digest = digest;
    empty.size = size;
    empty.clean = false; // it must be written
    auto text = read_file(layout.journal(digest), kMaxJournalBytes);
    if (!text) {
        const ErrorCode code = text.error().code();
        if (code == ErrorCode::NotFound || code == ErrorCode::TooLarge) {
            return empty;
        }
        return std::move(text).error();
    }
    auto journal = PartJournal::parse(*text);
    if (!journal || journal->digest != digest || journal->size != size) {
        return empty;
    }
    journal->clean = journal->clean && text->size() <= kCompactJournalBytes;
    return *std::move(journal);
}

SpanSet load_written(const Layout& layout, const Digest& digest, std::uint64_t size) {
    const auto text = read_file(layout.written(digest), kMaxWrittenBytes);
    return text ? WrittenSpans{digest, size, boot_id()}.parse(*text) : SpanSet();
}

void remove_notes(const Layout& layout, const Digest& digest) {
    ::unlink(layout.written(digest).c_str());
    ::unlink(layout.journal(digest).c_str());
}

WrittenNotes WrittenNotes::open(const Layout& layout, const Digest& digest, std::uint64_t size) {
    WrittenNotes notes;
    notes.form_ = {digest, size, boot_id()};
    notes.head_ = notes.form_.render_head();
    notes.path_ = layout.written(digest);
    if (auto file = open_file(notes.path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)) {
        notes.file_ = *std::move(file);
    }
    return notes;
}

void WrittenNotes::note(std::size_t n, Span span) {
    if (!file_.valid() || n >= kBankSlots) {
        return;
    }
    const std::uint64_t at = head_.size() + (bank_ * kBankSlots + n) * kWrittenSlotBytes;
    (void)write_all_at(file_, at, as_bytes(form_.render_slot(span))).has_value();
}

void WrittenNotes::forget() {
    if (file_.valid() &&
        (::ftruncate(file_.get(), 0) != 0 || !write_all_at(file_, 0, as_bytes(head_)))) {
        ::unlink(path_.c_str());
        file_.reset();
    }
}

} // namespace locara::store
