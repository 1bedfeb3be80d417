// Result and Error: how every fallible function of Locara reports failure.
//
// Errors are values. A function that can fail returns `Result<T>`; the caller either handles the
// error or passes it up with LOCARA_TRY. Each layer may add one line of context on the way; the
// whole is told once, at the top (cmd maps the code to an exit code, hub to an HTTP status).
//
// This is not an exception replacement for our own mistakes: those are LOCARA_ASSERT, which ends
// the program and must never be reachable from input.
//
// Threads: plain values, no sharing.
#pragma once

#include <tl/expected.hpp>

#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace locara {

/// What kind of failure it is. Enough to tell every exit code of the CLI apart.
enum class ErrorCode {
    NotFound,        ///< There is no such thing.
    Corrupt,         ///< Bytes, a hash or a signature are not what they must be.
    InvalidArgument, ///< The caller's input is malformed.
    Unauthorized,    ///< Sign-in is needed.
    Forbidden,       ///< Signed in, but not allowed.
    Refused,         ///< Policy says no (trust, license, permission, format gate).
    Conflict,        ///< The thing changed or exists already.
    Busy,            ///< Somebody else holds it.
    TooLarge,        ///< A named limit was passed.
    NoSpace,         ///< Not enough disk or memory.
    Timeout,         ///< A deadline passed.
    Cancelled,       ///< The user or a caller asked to stop.
    Unavailable,     ///< The other side is not reachable or not well. A retry may help.
    Offline,         ///< Network use was forbidden and the thing is not here.
    Io,              ///< The operating system failed a read or a write.
    Unsupported,     ///< Valid, but this version cannot do it.
    Internal,        ///< Our own mistake.
};

/// The stable name of a code, as it stands in JSON ("not_found", ...).
std::string_view render(ErrorCode code);

/// A failure: a code, one sentence that says what was found, what was allowed and what to do,
/// the errno if a system call failed (0 if not), and the context that layers above added.
class [[nodiscard]] Error {
  public:
    Error(ErrorCode code, std::string message, int system_errno = 0)
        : code_(code), errno_(system_errno), message_(std::move(message)) {}

    /// An error from a failed system call: `what` plus the text of errno. ENOSPC and EDQUOT become
    /// NoSpace, ENOENT NotFound, EACCES and EPERM Forbidden, everything else Io.
    static Error from_errno(std::string_view what, int system_errno);

    ErrorCode code() const { return code_; }

    const std::string& message() const { return message_; }

    int system_errno() const { return errno_; }

    const std::vector<std::string>& trail() const { return trail_; }

    /// Whether the same call may succeed later without anybody changing anything.
    bool retryable() const;

    /// Adds a line that says what was being done, innermost first.
    Error& add_context(std::string line) & {
        trail_.push_back(std::move(line));
        return *this;
    }

    Error&& add_context(std::string line) && {
        trail_.push_back(std::move(line));
        return std::move(*this);
    }

    /// The error in one line, outermost context first: "installing x: reading y: no such file".
    std::string describe() const;

  private:
    ErrorCode code_;
    int errno_ = 0;
    std::string message_;
    std::vector<std::string> trail_;
};

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

/// Ends the program when `condition` is false. For our own mistakes only, never for input.
#define LOCARA_ASSERT(condition)                                                                   \
    ((condition) ? static_cast<void>(0)                                                            \
                 : ::locara::assertion_failed(#condition, __FILE__, __LINE__))

/// What Result<T> and Result<void> share: whether there is a value, and the error if not. `R` is
/// the Result itself, so that context() hands on the same type.
template <class R, class T> class ResultBase {
  public:
    using value_type = T;

    bool has_value() const { return state_.has_value(); }

    explicit operator bool() const { return has_value(); }

    /// The error. Asserts that there is one.
    const Error& error() const& {
        LOCARA_ASSERT(!has_value());
        return state_.error();
    }

    Error&& error() && {
        LOCARA_ASSERT(!has_value());
        return std::move(state_.error());
    }

    /// Adds a line of context if this is an error: `LOCARA_TRY(auto f, open(p).context("..."));`
    R context(std::string line) && {
        if (!has_value()) {
            state_.error().add_context(std::move(line));
        }
        return std::move(static_cast<R&>(*this));
    }

  protected:
    tl::expected<T, Error> state_;

  private:
    friend R;
    ResultBase() = default;

    template <class... Args>
    explicit ResultBase(std::in_place_t, Args&&... args) : state_(std::forward<Args>(args)...) {}
};

/// A value of type T or an Error. `Result<void>` (alias Status) carries only success or failure.
template <class T> class [[nodiscard]] Result : public ResultBase<Result<T>, T> {
    using Base = ResultBase<Result<T>, T>;

  public:
    template <class U = T>

    requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
        Result(U&& value) // NOLINT(google-explicit-constructor): `return value;` must read plainly
        : Base(std::in_place, std::forward<U>(value)) {}

    Result(Error error) // NOLINT(google-explicit-constructor): `return Error(...)` likewise
        : Base(std::in_place, tl::unexpect, std::move(error)) {}

    /// The value. Asserts that there is one.
    T& value() & {
        LOCARA_ASSERT(this->has_value());
        return *this->state_;
    }

    const T& value() const& {
        LOCARA_ASSERT(this->has_value());
        return *this->state_;
    }

    T&& value() && {
        LOCARA_ASSERT(this->has_value());
        return std::move(*this->state_);
    }

    T& operator*() & { return value(); }

    const T& operator*() const& { return value(); }

    T&& operator*() && { return std::move(*this).value(); }

    T* operator->() { return &value(); }

    const T* operator->() const { return &value(); }
};

template <> class [[nodiscard]] Result<void> : public ResultBase<Result<void>, void> {
  public:
    Result() = default;

    Result(Error error) // NOLINT(google-explicit-constructor): as above
        : ResultBase(std::in_place, tl::unexpect, std::move(error)) {}

    void value() const { LOCARA_ASSERT(has_value()); }
};

/// Success or failure with nothing to return. Success is `return {};`.
using Status = Result<void>;

} // namespace locara

#define LOCARA_CONCAT_(a, b) a##b
#define LOCARA_CONCAT(a, b) LOCARA_CONCAT_(a, b)

/// `LOCARA_TRY(auto blob, store.get(id));` declares `blob` or returns the error to the caller.
/// Plain statements and not a statement expression: those break in coroutines (GCC bug 115851).
#define LOCARA_TRY(declaration, ...)                                                               \
    auto LOCARA_CONCAT(locara_result_, __LINE__) = (__VA_ARGS__);                                  \
    if (!LOCARA_CONCAT(locara_result_, __LINE__)) {                                                \
        return std::move(LOCARA_CONCAT(locara_result_, __LINE__)).error();                         \
    }                                                                                              \
    declaration = std::move(LOCARA_CONCAT(locara_result_, __LINE__)).value()

/// `LOCARA_CHECK(store.sync());` returns the error to the caller; the value, if any, is dropped.
#define LOCARA_CHECK(...)                                                                          \
    do {                                                                                           \
        auto locara_result = (__VA_ARGS__);                                                        \
        if (!locara_result) {                                                                      \
            return std::move(locara_result).error();                                               \
        }                                                                                          \
    } while (false)

/// The coroutine twins. The expression may hold one `co_await`.
#define LOCARA_CO_TRY(declaration, ...)                                                            \
    auto LOCARA_CONCAT(locara_result_, __LINE__) = (__VA_ARGS__);                                  \
    if (!LOCARA_CONCAT(locara_result_, __LINE__)) {                                                \
        co_return std::move(LOCARA_CONCAT(locara_result_, __LINE__)).error();                      \
    }                                                                                              \
    declaration = std::move(LOCARA_CONCAT(locara_result_, __LINE__)).value()

#define LOCARA_CO_CHECK(...)                                                                       \
    do {                                                                                           \
        auto locara_result = (__VA_ARGS__);                                                        \
        if (!locara_result) {                                                                      \
            co_return std::move(locara_result).error();                                            \
        }                                                                                          \
    } while (false)
