#include <locara/cas/backend.hpp>

#include <algorithm>
#include <utility>

#include <unistd.h>

namespace locara::cas {

namespace {

bool is_key_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

} // namespace

Result<Key> Key::parse(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + std::string(text.substr(0, kMaxBytes)) +
                         "' is no key of an object: " + std::string(why));
    };
    if (text.size() > kMaxBytes) {
        return bad("it is longer than 255 bytes");
    }
    char before = '/'; // a segment begins at the start
    for (const char c : text) {
        if (c == '/' ? before == '/' : !is_key_byte(c)) {
            return bad("it has an empty segment, or a byte other than a-z, 0-9, '-', '_', '.'");
        }
        if (c == '.' && before == '/') {
            return bad("a segment begins with '.'");
        }
        before = c;
    }
    if (before == '/') {
        return bad("it has an empty segment");
    }
    return Key(std::string(text));
}

Staged::Staged(Staged&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})), size_(other.size_) {}

Staged& Staged::operator=(Staged&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(size_, other.size_);
    return *this;
}

Staged::~Staged() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

Status Staged::append(ByteView bytes) {
    LOCARA_CHECK(write_all_at(fd_, size_, bytes).context("writing an object"));
    size_ += bytes.size();
    return {};
}

Result<Bytes> read_object(const Backend& backend, const Key& key, std::uint64_t limit_bytes) {
    LOCARA_TRY(const auto info, backend.find(key));
    if (!info) {
        return Error(ErrorCode::NotFound, "there is no object " + key.render());
    }
    if (info->size > limit_bytes) {
        return Error(ErrorCode::TooLarge,
                     "the object " + key.render() + " is " + render_size(info->size) +
                         "; at most " + render_size(limit_bytes) + " are read");
    }
    Bytes bytes(info->size);
    LOCARA_CHECK(backend.read(key, 0, bytes));
    return bytes;
}

} // namespace locara::cas
