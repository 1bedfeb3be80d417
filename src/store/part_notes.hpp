// The two small files beside a part that say what of it is there. Private to the module.
// Follows docs/formats/store.md, "The journal" and "What was written".
#pragma once

#include "layout.hpp"

#include <locara/store/part_journal.hpp>
#include <locara/store/store.hpp>
#include <locara/store/written_spans.hpp>

namespace locara::store {

/// The journal on disk if it is about this very file, else an empty one.
Result<PartJournal> load_journal(const Layout& layout, const Digest& digest, std::uint64_t size);

/// What was written since the last checkpoint, on this machine since it was started.
SpanSet load_written(const Layout& layout, const Digest& digest, std::uint64_t size);

/// Removes both.
void remove_notes(const Layout& layout, const Digest& digest);

/// Notes what was written, a note for each span in a slot of its own. Notes that cannot be made are
/// left out: without them a killed process costs fetching some bytes again.
///
/// Slots are in two banks, so that those of a checkpoint that is under way are not written over.
///
/// Threads: one at a time.
class WrittenNotes {
  public:
    /// Takes the file of notes, if there is one, as it is. Call forget() before the first note.
    static WrittenNotes open(const Layout& layout, const Digest& digest, std::uint64_t size);

    /// The n-th span since the last turn; a span that became longer is noted over its shorter self.
    void note(std::size_t n, Span span);

    /// A checkpoint begins: its notes stay until the next one does.
    void turn() { bank_ = 1 - bank_; }

    /// Starts over without any note, of an earlier process neither.
    void forget();

    static constexpr std::size_t kBankSlots = kWrittenSlots / 2;

  private:
    WrittenSpans form_;
    std::filesystem::path path_;
    std::string head_;
    Fd file_;
    std::size_t bank_ = 0;
};

} // namespace locara::store
