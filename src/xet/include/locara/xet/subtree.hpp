// Hash subtrees: the aggregated hash of a run of chunks as far as it can be computed without its
// neighbours, in logarithmic space, and merged with them later.
//
// docs/formats/xet-hashes.md has the rule and why it holds; the JSON form is that of the Xet
// reference ("MerkleHashSubtree"). Use: hashing a file whose chunks come in pieces, in any order of
// merging, and the unchanged ends of an edited file without its chunk list.
//
// Threads: plain values.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace locara::xet {

/// Limits on the JSON form: far above what 2^40 chunks need.
inline constexpr std::size_t kMaxSubtreeNodes = 1U << 16U;
inline constexpr std::size_t kMaxSubtreeLevels = 64;

/// Whether the run begins with the first chunk of the whole, and whether it ends with the last.
enum class AtStart { No, Yes };
enum class AtEnd { No, Yes };

class HashSubtree {
  public:
    /// An empty run in the middle of something.
    HashSubtree() = default;

    static HashSubtree
    from_chunks(AtStart at_start, std::span<const ChunkInfo> chunks, AtEnd at_end);

    /// Joins the run that follows directly. InvalidArgument if this one reaches the end of the
    /// whole or the other one its start. REQUIRES: next is another object.
    Status merge(const HashSubtree& next);

    /// The root, once the run is the whole: xorb_hash of all its chunks (zero for none). Nothing
    /// otherwise. file_hash_of_root makes a file hash of that of
    /// one chunk or more.
    std::optional<XorbHash> root() const;

    AtStart at_start() const { return at_start_; }

    AtEnd at_end() const { return at_end_; }

    /// How many hashes it holds.
    std::size_t nodes() const;

    /// {"nodes":[{"hash","size"}],"levels":[[left,right]],"at_start":bool,"at_end":bool}
    Json render() const;

    /// The inverse of render; takes also what the reference makes of merges. TooLarge past a limit,
    /// else InvalidArgument.
    static Result<HashSubtree> parse(const Json& json);

    bool operator==(const HashSubtree&) const = default;

  private:
    /// Below the top, the groups of what lies between `left` and `right` are nodes of the level
    /// above. At the top everything is in `left`.
    struct Level {
        std::vector<ChunkInfo> left;
        std::vector<ChunkInfo> right;

        bool operator==(const Level&) const = default;
    };

    /// Brings what was parsed into the form above.
    Status tidy();

    std::vector<Level> levels_; ///< From the chunks up; none for an empty run.
    AtStart at_start_ = AtStart::No;
    AtEnd at_end_ = AtEnd::No;
};

/// A file hash of chunks that come one after another: file_hash without a list of them all. Keeps
/// kBlock of them, and a logarithm of the rest.
class FileHasher {
  public:
    void add(const ChunkInfo& chunk) {
        waiting_.push_back(chunk);
        if (waiting_.size() == kBlock) {
            join(AtEnd::No);
        }
    }

    /// Zero for no chunks. It is spent afterwards.
    FileHash finish(const FileSalt& salt = {});

  private:
    static constexpr std::size_t kBlock = 1024;

    void join(AtEnd at_end);

    std::vector<ChunkInfo> waiting_;
    HashSubtree joined_ = HashSubtree::from_chunks(AtStart::Yes, {}, AtEnd::No);
};

} // namespace locara::xet
