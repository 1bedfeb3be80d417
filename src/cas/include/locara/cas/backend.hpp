// Where the objects of the chunk store lie: immutable bytes under a key, put once, read by range.
//
// The seam is what an object store (S3) can do: no rename, no append, no locks; a conditional put,
// ranged reads, a sorted listing. A local folder and a double in memory stand behind it today, and
// both pass one contract suite (test/backend_contract_test.cpp). docs/formats/cas.md says which
// keys there are.
//
// Threads and processes: every function may be called from any thread, and any number of processes
// may share one folder. Errors of the operating system come back as Io, NoSpace, Forbidden with
// the key or path in the message.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::cas {

/// The name of an object: segments of a-z, 0-9, '-', '_' and '.', joined by '/'; at most 255
/// bytes. No segment is empty or begins with '.', so a key can never leave its folder nor name a
/// file of another kind. REQUIRES, of all keys of one backend: none is another one's beginning up
/// to a '/', as a name cannot be both a file and a folder.
class Key {
  public:
    static constexpr std::size_t kMaxBytes = 255;

    /// InvalidArgument unless `text` is as above.
    static Result<Key> parse(std::string_view text);

    const std::string& render() const { return text_; }

    auto operator<=>(const Key&) const = default;

  private:
    explicit Key(std::string text) : text_(std::move(text)) {}

    std::string text_;
};

struct ObjectInfo {
    Key key;
    std::uint64_t size = 0;
    TimePoint touched; ///< When it was put, or touched last.
};

/// Some objects in the order of their keys.
struct Page {
    std::vector<ObjectInfo> objects;
    /// Where to go on: list(prefix, *next). Absent on the last page.
    std::optional<std::string> next;
};

/// Bytes on their way to become an object: a file nobody else sees, gone with its owner (and with
/// its process) unless it is put. Made by Backend::stage. Belongs to one thread at a time.
class Staged {
  public:
    Staged(Fd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Staged(Staged&& other) noexcept;
    Staged& operator=(Staged&& other) noexcept;
    ~Staged();

    /// Adds bytes at the end. NoSpace when the disk is full.
    Status append(ByteView bytes);

    std::uint64_t size() const { return size_; }

    /// The bytes so far, for reading them back.
    const Fd& fd() const { return fd_; }

    /// Where it lies; empty for a file without a name. For backends only.
    const std::filesystem::path& path() const { return path_; }

    /// The path, which the caller has renamed and which is no longer removed. For backends only.
    void release() { path_.clear(); }

  private:
    Fd fd_;
    std::filesystem::path path_;
    std::uint64_t size_ = 0;
};

/// What put_if_absent found: nothing (the bytes are the object now), or an object, which stays.
enum class Put { Stored, Existed };

class Backend {
  public:
    static constexpr std::size_t kMaxPage = 1000;

    virtual ~Backend() = default;

    /// A place to write an object of any size to before its key is known.
    virtual Result<Staged> stage() = 0;

    /// Makes the bytes the object `key` unless there is one. Either way the object is whole and
    /// durable on return, and touched now. Of two at once exactly one is answered Stored. After a
    /// crash the object is there whole or not at all.
    virtual Result<Put> put_if_absent(const Key& key, Staged staged) = 0;
    virtual Result<Put> put_if_absent(const Key& key, ByteView bytes) = 0;

    /// Fills `buffer` from byte `offset` on. NotFound without the object, Corrupt if it ends
    /// earlier.
    virtual Status
    read(const Key& key, std::uint64_t offset, std::span<std::byte> buffer) const = 0;

    /// The object as a read-only file, for sendfile; nothing where objects are no local files.
    /// NotFound without the object. The bytes stay readable when the object is removed.
    virtual Result<std::optional<Fd>> open(const Key& key) const = 0;

    /// Absence is normal.
    virtual Result<std::optional<ObjectInfo>> find(const Key& key) const = 0;

    /// Objects whose keys begin with `prefix` (any text, "" for all) and come after `after` (any
    /// text, "" for the first page), sorted bytewise, at most `limit` (1 to kMaxPage). An object
    /// put or removed meanwhile may or may not appear; every other one does, once.
    virtual Result<Page>
    list(std::string_view prefix, std::string_view after, std::size_t limit = kMaxPage) const = 0;

    /// Sets the time of the object to now. NotFound without it.
    virtual Status touch(const Key& key) = 0;

    /// Removes the object. NotFound without it.
    virtual Status remove(const Key& key) = 0;

    /// Removes the object if it was last touched before `limit`: Yes; No if it was touched later.
    /// NotFound without it. An object touched while this runs either stays, or the touch fails
    /// with NotFound. (A reader may miss the object for a moment while it is looked at.) Durable on
    /// return.
    enum class Removed { No, Yes };
    virtual Result<Removed> remove_if_older(const Key& key, TimePoint limit) = 0;
};

/// Objects as files below `root` (made if absent), read-only, each named by its key; tmp/ holds
/// what is being staged, gone/ what is being removed. Of processes that are gone the former is
/// removed, the latter put back. Times are the clock's; `clock` is borrowed.
Result<std::unique_ptr<Backend>> open_directory(const std::filesystem::path& root,
                                                const Clock& clock = system_clock());

/// Objects in memory. For tests.
std::unique_ptr<Backend> make_memory_backend(const Clock& clock = system_clock());

/// The whole object. TooLarge above `limit_bytes`.
Result<Bytes> read_object(const Backend& backend, const Key& key, std::uint64_t limit_bytes);

} // namespace locara::cas
