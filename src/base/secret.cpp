#include <locara/base/bytes.hpp>
#include <locara/base/secret.hpp>

#include <cstring>
#include <vector>

#include <sys/random.h>

namespace locara {

Secret::Secret(Secret&& other) noexcept : value_(other.value_) {
    ::explicit_bzero(other.value_.data(), other.value_.size());
    other.value_.clear();
}

Secret& Secret::operator=(Secret other) noexcept {
    value_.swap(other.value_);
    return *this;
}

Secret::~Secret() {
    ::explicit_bzero(value_.data(), value_.size());
}

bool Secret::equals(std::string_view other) const {
    if (value_.size() != other.size()) {
        return false;
    }
    unsigned difference = 0;
    for (std::size_t i = 0; i < other.size(); ++i) {
        difference |= static_cast<unsigned char>(value_[i]) ^ static_cast<unsigned char>(other[i]);
    }
    return difference == 0;
}

std::string random_hex(std::size_t bytes) {
    Bytes buffer(bytes);
    LOCARA_ASSERT(::getentropy(buffer.data(), buffer.size()) == 0); // only fails above 256 bytes
    return render_hex(buffer);
}

} // namespace locara
