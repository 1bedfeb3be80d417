// Secret: a token or key. Not printable, wiped when it goes, compared in constant time.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace locara {

class Secret {
  public:
    Secret() = default;

    explicit Secret(std::string value) : value_(std::move(value)) {}

    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret other) noexcept;
    ~Secret();

    bool empty() const { return value_.empty(); }

    /// The secret itself. The long name is meant to be seen in review.
    const std::string& reveal() const { return value_; }

    /// Equal in time that depends only on the lengths.
    bool equals(std::string_view other) const;

  private:
    std::string value_;
};

/// `bytes` random bytes from the operating system, as lower-case hex.
std::string random_hex(std::size_t bytes);

} // namespace locara
