// Lists that grow with a file and do not belong into memory: bytes, records and sorted records in
// a temporary file.
//
// What is short stays in memory. A file is made only when that is no longer enough; it has no name,
// so nothing is left of it when its owner goes or is killed. Reading and writing go through calls
// and not through a mapping, whose pages would count as memory of this program.
//
// Errors of everything here: NoSpace when the disk of the folder is full, Io.
//
// Threads: any number may read at once, while nobody adds.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace locara {

/// Where such files lie if nothing better is known: $TMPDIR, else /var/tmp, which unlike /tmp is
/// on a disk.
std::filesystem::path scratch_folder();

/// An open file without a name in `folder`, for reading and writing.
Result<Fd> open_scratch_file(const std::filesystem::path& folder);

/// Bytes, added at the end and read anywhere.
class SpillBytes {
  public:
    /// So much at most is in memory.
    static constexpr std::size_t kMemoryBytes = 64U << 10U;

    explicit SpillBytes(std::filesystem::path folder = scratch_folder())
        : folder_(std::move(folder)) {}

    Status add(ByteView bytes);

    std::uint64_t size() const { return in_file_ + tail_.size(); }

    const std::filesystem::path& folder() const { return folder_; }

    /// REQUIRES: `buffer` is not more than what lies from `offset` on.
    Status read(std::uint64_t offset, std::span<std::byte> buffer) const;

  private:
    Status flush();

    std::filesystem::path folder_;
    Fd file_;
    std::uint64_t in_file_ = 0;
    Bytes tail_; ///< What follows that.
};

/// A list of records, which are kept as they lie in memory.
template <class Record> class Spill {
    static_assert(std::is_trivially_copyable_v<Record>);

  public:
    explicit Spill(std::filesystem::path folder = scratch_folder()) : bytes_(std::move(folder)) {}

    Status add(const Record& record) { return bytes_.add(std::as_bytes(std::span(&record, 1))); }

    std::uint64_t size() const { return bytes_.size() / sizeof(Record); }

    bool empty() const { return size() == 0; }

    const std::filesystem::path& folder() const { return bytes_.folder(); }

    /// REQUIRES: `number` < size().
    Result<Record> get(std::uint64_t number) const {
        Record record;
        LOCARA_CHECK(read(number, std::span(&record, 1)));
        return record;
    }

    /// Fills `records` with those from `first` on. REQUIRES: there are as many.
    Status read(std::uint64_t first, std::span<Record> records) const {
        return bytes_.read(first * sizeof(Record), std::as_writable_bytes(records));
    }

    /// All of them, in memory: for lists that are known to be short.
    Result<std::vector<Record>> load() const {
        std::vector<Record> records(size());
        LOCARA_CHECK(read(0, records));
        return records;
    }

  private:
    SpillBytes bytes_;
};

/// Goes over records [first, end) of a list that stays as it is meanwhile.
template <class Record> class SpillReader {
  public:
    explicit SpillReader(const Spill<Record>& list) : SpillReader(list, 0, list.size()) {}

    SpillReader(const Spill<Record>& list, std::uint64_t first, std::uint64_t end)
        : list_(list), next_(first), end_(end) {}

    /// The next one; null at the end. It stays until the next call.
    Result<const Record*> next() {
        if (at_ == window_.size()) {
            if (next_ == end_) {
                return nullptr;
            }
            window_.resize(std::min<std::uint64_t>(kWindowBytes / sizeof(Record), end_ - next_));
            LOCARA_CHECK(list_.read(next_, window_));
            next_ += window_.size();
            at_ = 0;
        }
        return &window_[at_++];
    }

  private:
    static constexpr std::size_t kWindowBytes = 8U << 10U;
    static_assert(sizeof(Record) <= kWindowBytes);

    const Spill<Record>& list_;
    std::uint64_t next_; ///< After the window.
    const std::uint64_t end_;
    std::vector<Record> window_;
    std::size_t at_ = 0; ///< In the window.
};

/// Records that are added in any order and come out in that of `Less`, which must be total.
/// They are sorted in runs, which are merged at the end. Memory: kRunBytes, and a sixtieth of what
/// was added while they are merged.
template <class Record, class Less = std::less<Record>> class SpillSorter {
  public:
    static constexpr std::size_t kRunBytes = 512U << 10U;

    explicit SpillSorter(std::filesystem::path folder = scratch_folder())
        : list_(std::move(folder)) {}

    SpillSorter(const SpillSorter&) = delete; // its readers know where its list is
    SpillSorter& operator=(const SpillSorter&) = delete;

    Status add(const Record& record) {
        run_.push_back(record);
        return run_.size() == kRunRecords ? end_run() : Status{};
    }

    /// REQUIRES: nothing is added afterwards, and it is called once.
    Status sort() {
        if (ends_.empty()) { // all is in memory
            std::sort(run_.begin(), run_.end(), Less());
            return {};
        }
        LOCARA_CHECK(end_run());
        run_ = {};
        std::uint64_t first = 0;
        readers_.reserve(ends_.size());
        for (const std::uint64_t end : ends_) {
            readers_.emplace_back(list_, first, end);
            first = end;
            LOCARA_CHECK(push(readers_.size() - 1));
        }
        return {};
    }

    /// The next one; nothing at the end. REQUIRES: sort().
    Result<std::optional<Record>> next() {
        if (ends_.empty()) {
            return at_ < run_.size() ? std::optional(run_[at_++]) : std::nullopt;
        }
        if (heads_.empty()) {
            return std::optional<Record>();
        }
        std::pop_heap(heads_.begin(), heads_.end(), comes_later);
        const Head head = heads_.back();
        heads_.pop_back();
        LOCARA_CHECK(push(head.run));
        return std::optional(head.record);
    }

  private:
    static constexpr std::size_t kRunRecords = kRunBytes / sizeof(Record);

    /// The first record of a run that has not come out.
    struct Head {
        Record record;
        std::size_t run = 0;
    };

    static bool comes_later(const Head& a, const Head& b) { return Less()(b.record, a.record); }

    Status end_run() {
        std::sort(run_.begin(), run_.end(), Less());
        for (const Record& record : run_) {
            LOCARA_CHECK(list_.add(record));
        }
        run_.clear();
        ends_.push_back(list_.size());
        return {};
    }

    Status push(std::size_t run) {
        LOCARA_TRY(const Record* const record, readers_[run].next());
        if (record != nullptr) {
            heads_.push_back({*record, run});
            std::push_heap(heads_.begin(), heads_.end(), comes_later);
        }
        return {};
    }

    std::vector<Record> run_;
    std::size_t at_ = 0; ///< In run_, if that is all.
    Spill<Record> list_; ///< Runs, one after another.
    std::vector<std::uint64_t> ends_;
    std::vector<SpillReader<Record>> readers_; ///< One a run.
    std::vector<Head> heads_;                  ///< A heap; the first record is on top.
};

} // namespace locara
