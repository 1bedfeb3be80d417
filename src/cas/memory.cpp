// The double in memory. It keeps the promises of the interface, as the contract suite checks, but
// for durability.
#include <locara/cas/backend.hpp>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

#include <sys/mman.h>

namespace locara::cas {

namespace {

class Memory : public Backend {
  public:
    explicit Memory(const Clock& clock) : clock_(&clock) {}

    Result<Staged> stage() override {
        Fd fd(::memfd_create("locara-object", MFD_CLOEXEC));
        if (!fd.valid()) {
            return Error::from_errno("cannot create a file in memory", errno);
        }
        return Staged(std::move(fd), {});
    }

    Result<Put> put_if_absent(const Key& key, Staged staged) override {
        Bytes bytes(staged.size());
        LOCARA_CHECK(read_exactly_at(staged.fd(), 0, bytes));
        return put(key, std::move(bytes));
    }

    Result<Put> put_if_absent(const Key& key, ByteView bytes) override {
        return put(key, Bytes(bytes.begin(), bytes.end()));
    }

    Status read(const Key& key, std::uint64_t offset, std::span<std::byte> buffer) const override {
        const std::lock_guard guard(mutex_);
        const auto it = objects_.find(key.render());
        if (it == objects_.end()) {
            return absent(key);
        }
        const Bytes& bytes = it->second.bytes;
        if (offset > bytes.size() || buffer.size() > bytes.size() - offset) {
            return Error(ErrorCode::Corrupt, "the object " + key.render() + " ends too early");
        }
        std::copy_n(
            bytes.begin() + static_cast<std::ptrdiff_t>(offset), buffer.size(), buffer.begin());
        return {};
    }

    Result<std::optional<Fd>> open(const Key& key) const override {
        const std::lock_guard guard(mutex_);
        if (!objects_.contains(key.render())) {
            return absent(key);
        }
        return std::optional<Fd>();
    }

    Result<std::optional<ObjectInfo>> find(const Key& key) const override {
        const std::lock_guard guard(mutex_);
        const auto it = objects_.find(key.render());
        if (it == objects_.end()) {
            return std::optional<ObjectInfo>();
        }
        return std::optional(ObjectInfo{key, it->second.bytes.size(), it->second.touched});
    }

    Result<Page>
    list(std::string_view prefix, std::string_view after, std::size_t limit) const override {
        const std::lock_guard guard(mutex_);
        Page page;
        for (const auto& [text, object] : objects_) {
            if (!text.starts_with(prefix) || text <= after) {
                continue;
            }
            if (page.objects.size() == limit) {
                page.next = page.objects.back().key.render();
                break;
            }
            LOCARA_TRY(Key key, Key::parse(text));
            page.objects.push_back({std::move(key), object.bytes.size(), object.touched});
        }
        return page;
    }

    Status touch(const Key& key) override {
        const std::lock_guard guard(mutex_);
        const auto it = objects_.find(key.render());
        if (it == objects_.end()) {
            return absent(key);
        }
        it->second.touched = clock_->now();
        return {};
    }

    Status remove(const Key& key) override {
        const std::lock_guard guard(mutex_);
        return objects_.erase(key.render()) == 1 ? Status() : Status(absent(key));
    }

    Result<Removed> remove_if_older(const Key& key, TimePoint limit) override {
        const std::lock_guard guard(mutex_);
        const auto it = objects_.find(key.render());
        if (it == objects_.end()) {
            return absent(key);
        }
        if (it->second.touched >= limit) {
            return Removed::No;
        }
        objects_.erase(it);
        return Removed::Yes;
    }

  private:
    struct Object {
        Bytes bytes;
        TimePoint touched;
    };

    static Error absent(const Key& key) {
        return Error(ErrorCode::NotFound, "there is no object " + key.render());
    }

    Result<Put> put(const Key& key, Bytes bytes) {
        const std::lock_guard guard(mutex_);
        const auto [it, added] = objects_.try_emplace(key.render());
        it->second.touched = clock_->now();
        if (added) {
            it->second.bytes = std::move(bytes);
        }
        return added ? Put::Stored : Put::Existed;
    }

    const Clock* clock_;
    mutable std::mutex mutex_; ///< Guards objects_.
    std::map<std::string, Object, std::less<>> objects_;
};

} // namespace

std::unique_ptr<Backend> make_memory_backend(const Clock& clock) {
    return std::make_unique<Memory>(clock);
}

} // namespace locara::cas
