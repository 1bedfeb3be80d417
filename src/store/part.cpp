#include "part_state.hpp"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace {

constexpr std::size_t kHashBlockBytes = 1U << 20U;

} // namespace

Result<std::unique_ptr<Part::State>>
Part::State::open(const Layout& layout, DigestLock lock, const Digest& digest, std::uint64_t size) {
    struct stat info {};

    const bool there = ::lstat(layout.part(digest).c_str(), &info) == 0;
    const bool usable =
        there && S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == size;
    if (!usable) {
        remove_notes(layout, digest); // before there are bytes that they do not speak of
    }
    LOCARA_TRY(PartJournal journal, load_journal(layout, digest, size));
    SpanSet unsynced = load_written(layout, digest, size);
    for (const Span& span : journal.spans.spans()) {
        unsynced.remove(span);
    }
    auto state = std::make_unique<State>(layout, std::move(lock), std::move(journal));
    // The part's own blocks: used, or given back when it starts over.
    const std::uint64_t held = there ? allocated_bytes(layout.part(digest)) : 0;
    LOCARA_CHECK(check_free_space(layout.root, size > held ? size - held : 0));
    LOCARA_CHECK(state->open_files(usable ? OldBytes::Keep : OldBytes::Drop));
    LOCARA_CHECK(state->take_up(unsynced));
    return state;
}

Status Part::State::open_files(OldBytes old) {
    // The journal first: bytes without a journal would be ignored, a journal without bytes is
    // noticed by the size of the part.
    if (!journal.clean) {
        LOCARA_CHECK(write_journal());
    } else {
        LOCARA_TRY(journal_fd, open_file(layout.journal(digest), O_WRONLY | O_APPEND | O_NOFOLLOW));
    }
    const int how = O_RDWR | O_CREAT | O_NOFOLLOW | (old == OldBytes::Drop ? O_TRUNC : 0);
    LOCARA_TRY(data, open_file(layout.part(digest), how, 0600));
    if (::ftruncate(data.get(), static_cast<off_t>(size)) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot set the size of " + layout.part(digest).string(), saved);
    }
    return sync_folder(layout.parts());
}

Status Part::State::take_up(const SpanSet& written_before) {
    notes = WrittenNotes::open(layout, digest, size);
    unsynced = written_before.spans();
    unsynced_bytes = written_before.bytes();
    for (const Span& span : unsynced) {
        received.add(span);
        claimed.add(span);
    }
    reused = received.bytes();
    LOCARA_CHECK(checkpoint());
    notes.forget(); // from here on the journal has them all
    return {};
}

Status Part::State::write_journal() {
    journal_fd.reset();
    const auto path = layout.journal(digest);
    LOCARA_CHECK(write_file_atomically(path, as_bytes(journal.render()), 0600));
    LOCARA_TRY(journal_fd, open_file(path, O_WRONLY | O_APPEND | O_NOFOLLOW));
    // So that a full disk does not keep us from noting what arrived. Not every file system can.
    (void)::fallocate(
        journal_fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(kCompactJournalBytes));
    journal.clean = true;
    return {};
}

Status Part::State::reserve() {
    if (reserved) {
        return {};
    }
    const std::lock_guard reserve_guard(reserve_mutex);
    if (reserved) {
        return {};
    }
    std::vector<Span> gaps;
    {
        const std::lock_guard guard(mutex);
        gaps = claimed.gaps({0, size});
    }
    for (const Span& gap : gaps) {
        int failed = EINTR;
        while (failed == EINTR) {
            failed = ::fallocate(data.get(),
                                 FALLOC_FL_KEEP_SIZE,
                                 static_cast<off_t>(gap.first),
                                 static_cast<off_t>(gap.size())) == 0
                         ? 0
                         : errno;
        }
        if (failed == EOPNOTSUPP || failed == ENOSYS) {
            reserved = true; // check_room looks after it, as well as that goes
            return {};
        }
        if (failed != 0) {
            give_back();
            const Error error =
                Error::from_errno("cannot reserve " + layout.part(digest).string(), failed);
            return error.code() == ErrorCode::NoSpace ? full_disk(error) : error;
        }
    }
    reserved = true;
    has_room = true;
    return {};
}

void Part::State::give_back() {
    const std::lock_guard guard(mutex); // so that nobody begins to write there
    for (const Span& gap : claimed.gaps({0, size})) {
        // Should it fail, the part keeps more of the disk than it needs until it goes on or goes.
        (void)::fallocate(data.get(),
                          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          static_cast<off_t>(gap.first),
                          static_cast<off_t>(gap.size()));
    }
}

Error Part::State::full_disk(const Error& cause) const {
    const auto free = free_disk_bytes(layout.root);
    std::uint64_t here = 0;
    {
        const std::lock_guard guard(mutex);
        here = received.bytes();
    }
    return Error(ErrorCode::NoSpace,
                 "there is no room on the disk of " + layout.root.string() + ": " +
                     render_size(size - here) + " of " + render_size(size) +
                     " are still to come and " +
                     (free ? render_size(*free) : std::string("nothing")) +
                     " are free; what has arrived is kept, free some space and pull again",
                 cause.system_errno());
}

Status Part::State::write_gap(std::uint64_t offset, ByteView bytes) {
    auto written = write_all_at(data, offset, bytes);
    if (!written) {
        if (written.error().code() == ErrorCode::NoSpace) {
            return full_disk(written.error());
        }
        return std::move(written).context("writing " + layout.part(digest).string());
    }
    const std::lock_guard guard(mutex);
    note_received({offset, offset + bytes.size()});
    return {};
}

void Part::State::note_received(Span span) {
    received.add(span);
    // Ranges arrive in order within themselves, so most writes only lengthen a span.
    const auto before = std::find_if(unsynced.begin(), unsynced.end(), [&](const Span& other) {
        return other.end == span.first;
    });
    if (before != unsynced.end()) {
        before->end = span.end;
        notes.note(static_cast<std::size_t>(before - unsynced.begin()), *before);
    } else {
        unsynced.push_back(span);
        notes.note(unsynced.size() - 1, span);
    }
    unsynced_bytes += span.size();
}

Part::Part(std::unique_ptr<State> state) : state_(std::move(state)) {}

Part::Part(Part&&) noexcept = default;
Part& Part::operator=(Part&&) noexcept = default;
Part::~Part() = default;

const Digest& Part::digest() const {
    return state_->digest;
}

std::uint64_t Part::size() const {
    return state_->size;
}

std::uint64_t Part::reused_bytes() const {
    return state_->reused;
}

std::uint64_t Part::received_bytes() const {
    const std::lock_guard guard(state_->mutex);
    return state_->received.bytes();
}

std::vector<Span> Part::missing() const {
    const std::lock_guard guard(state_->mutex);
    return state_->received.gaps({0, state_->size});
}

void Part::set_pace(Pace pace) {
    const std::lock_guard guard(state_->mutex);
    state_->pace = pace;
}

Status Part::write(std::uint64_t offset, ByteView bytes) {
    if (offset > state_->size || bytes.size() > state_->size - offset) {
        return Error(ErrorCode::InvalidArgument,
                     std::to_string(bytes.size()) + " bytes at " + std::to_string(offset) +
                         " do not fit into a file of " + std::to_string(state_->size));
    }
    LOCARA_CHECK(state_->reserve());
    std::vector<Span> gaps;
    {
        const std::lock_guard guard(state_->mutex);
        const Span all{offset, offset + bytes.size()};
        gaps = state_->claimed.gaps(all);
        state_->claimed.add(all);
    }
    for (const Span& gap : gaps) {
        LOCARA_CHECK(state_->write_gap(gap.first, bytes.subspan(gap.first - offset, gap.size())));
    }
    return checkpoint_if_due();
}

Status Part::checkpoint_if_due() {
    bool due = false;
    {
        const std::lock_guard guard(state_->mutex);
        due = state_->unsynced_bytes >= state_->pace.bytes ||
              state_->unsynced.size() >= WrittenNotes::kBankSlots ||
              State::Clock::now() - state_->last_checkpoint >= state_->pace.time;
        if (due) { // by this thread; the others go on
            state_->last_checkpoint = State::Clock::now();
        }
    }
    if (!due) {
        return {};
    }
    LOCARA_CHECK(checkpoint());
    return state_->check_room();
}

Status Part::checkpoint() {
    return state_->checkpoint();
}

Status Part::State::checkpoint() {
    const std::lock_guard journal_guard(journal_mutex);
    std::vector<Span> spans;
    {
        const std::lock_guard guard(mutex);
        spans.swap(unsynced);
        unsynced_bytes = 0;
        last_checkpoint = Clock::now();
        notes.turn();
    }
    if (spans.empty()) {
        return {};
    }
    if (::fdatasync(data.get()) != 0) {
        // What the kernel could not write may be lost for good: nothing of it is noted, and a
        // later fdatasync that succeeds proves nothing about it.
        const int saved = errno;
        const Error error = Error::from_errno("cannot sync " + layout.part(digest).string(), saved);
        {
            const std::lock_guard guard(mutex);
            notes.forget();
        }
        return error.code() == ErrorCode::NoSpace ? full_disk(error) : error;
    }
    return note(spans);
}

Status Part::State::check_room() const {
    if (has_room) {
        return {};
    }
    const auto free = free_disk_bytes(layout.root);
    std::uint64_t to_come = 0;
    {
        const std::lock_guard guard(mutex);
        to_come = size - received.bytes();
    }
    if (!free || *free >= to_come) {
        return {};
    }
    // Something else takes the disk: better to stop now than when nobody can write any more.
    return full_disk(Error(ErrorCode::NoSpace, "the rest does not fit", ENOSPC));
}

Status Part::State::note(const std::vector<Span>& spans) {
    std::string lines;
    for (const Span& span : spans) {
        lines += journal.render_line(span);
        journal.spans.add(span);
    }
    if (!journal.clean) { // an earlier append may have left half a line
        return write_journal();
    }
    journal.clean = false;
    LOCARA_CHECK(write_all(journal_fd, as_bytes(lines))
                     .context("writing the journal of " + digest.render()));
    journal.clean = true;
    return {};
}

Result<std::uint64_t> Part::advance_hash(std::uint64_t limit_bytes) {
    std::uint64_t end = 0;
    {
        const std::lock_guard guard(state_->mutex);
        end = state_->received.front();
    }
    std::uint64_t at = state_->hashed;
    end = std::min(end, at + std::min(limit_bytes, state_->size));
    const std::uint64_t start = at;
    Bytes block(std::min<std::uint64_t>(kHashBlockBytes, end - at));
    while (at < end) {
        const auto now = std::span(block).first(std::min<std::uint64_t>(block.size(), end - at));
        LOCARA_CHECK(read_exactly_at(state_->data, at, now)
                         .context("reading " + state_->layout.part(state_->digest).string()));
        state_->hash.update(now);
        at += now.size();
        state_->hashed = at;
    }
    return at - start;
}

std::uint64_t Part::hashed_bytes() const {
    return state_->hashed;
}

Result<Digest> Part::finish_hash(std::stop_token stop) {
    if (state_->found) {
        return *state_->found;
    }
    if (!missing().empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "the part " + state_->digest.render() + " is not complete");
    }
    while (state_->hashed < state_->size) {
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while verifying");
        }
        LOCARA_CHECK(advance_hash(kHashBlockBytes));
    }
    state_->found = state_->hash.finish();
    return *state_->found;
}

Result<FileInfo> Part::publish(const Gate& gate) {
    LOCARA_TRY(const Digest found, finish_hash());
    if (found != state_->digest) {
        return Error(ErrorCode::Corrupt,
                     "SHA-256 is " + found.render() + ", expected " + state_->digest.render());
    }
    const auto path = state_->layout.part(state_->digest);
    if (gate) {
        LOCARA_TRY(const Fd file, open_file(path, O_RDONLY | O_NOFOLLOW));
        LOCARA_CHECK(gate(file));
    }
    constexpr mode_t kReadOnly = 0444;
    if (::fchmod(state_->data.get(), kReadOnly) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot set the mode of " + path.string(), saved);
    }
    const Status synced = sync_file(state_->data);
    if (!synced) {
        return synced.error().code() == ErrorCode::NoSpace ? state_->full_disk(synced.error())
                                                           : synced.error();
    }
    LOCARA_CHECK(publish_file(state_->layout, path, state_->digest));
    remove_notes(state_->layout, state_->digest);
    return FileInfo{state_->digest, state_->size};
}

Status Part::reset() {
    const std::lock_guard journal_guard(state_->journal_mutex);
    {
        const std::lock_guard guard(state_->mutex);
        state_->received.clear();
        state_->claimed.clear();
        state_->unsynced.clear();
        state_->unsynced_bytes = 0;
        state_->notes.forget();
    }
    state_->hash = crypto::Sha256();
    state_->hashed = 0;
    state_->found.reset();
    state_->journal.spans.clear();
    LOCARA_CHECK(state_->write_journal());
    state_->reserved = false;
    state_->has_room = false;
    // Gives the blocks back, too: the bytes are of no use.
    if (::ftruncate(state_->data.get(), 0) != 0 ||
        ::ftruncate(state_->data.get(), static_cast<off_t>(state_->size)) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot empty the part of " + state_->digest.render(), saved);
    }
    return {};
}

Status Part::discard() {
    const Layout& layout = state_->layout;
    for (const auto& path : {layout.written(state_->digest),
                             layout.part(state_->digest),
                             layout.journal(state_->digest)}) {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            const int saved = errno;
            return Error::from_errno("cannot remove " + path.string(), saved);
        }
    }
    return sync_folder(layout.parts());
}

} // namespace locara::store
