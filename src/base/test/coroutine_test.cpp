// The coroutine twins of the TRY macros must compile and work on every compiler we support.
#include <locara/base/result.hpp>

#include <gtest/gtest.h>

#include <coroutine>
#include <optional>

namespace locara {
namespace {

/// The smallest eager coroutine that yields a Result.
struct Task {
    struct promise_type {
        std::optional<Result<int>> result;

        Task get_return_object() {
            return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
        }

        std::suspend_never initial_suspend() { return {}; }

        std::suspend_always final_suspend() noexcept { return {}; }

        void return_value(Result<int> value) { result = std::move(value); }

        void unhandled_exception() { std::abort(); }
    };

    explicit Task(std::coroutine_handle<promise_type> h) : handle(h) {}

    Task(Task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}

    Task& operator=(Task&&) = delete;

    ~Task() {
        if (handle) {
            handle.destroy();
        }
    }

    std::coroutine_handle<promise_type> handle;
};

/// An awaiter that is ready at once. It has a constructor because GCC 12 destroys an awaiter made
/// by aggregate initialisation inside a co_await expression twice.
struct Ready {
    explicit Ready(Result<int> ready) : value(std::move(ready)) {}

    Result<int> value;

    bool await_ready() const { return true; }

    void await_suspend(std::coroutine_handle<>) const {}

    Result<int> await_resume() { return std::move(value); }
};

Task add(Result<int> a, Result<int> b) {
    LOCARA_CO_TRY(const int first, co_await Ready(std::move(a)));
    LOCARA_CO_TRY(const int second, co_await Ready(std::move(b)));
    LOCARA_CO_CHECK(Result<int>(first));
    co_return first + second;
}

TEST(CoroutineTry, passes_values_and_errors_through_co_await) {
    const Task sum = add(1, 2);
    ASSERT_TRUE(*sum.handle.promise().result);
    EXPECT_EQ(**sum.handle.promise().result, 3);
    const Task failed = add(1, Error(ErrorCode::Timeout, "late"));
    ASSERT_FALSE(*failed.handle.promise().result);
    EXPECT_EQ(failed.handle.promise().result->error().code(), ErrorCode::Timeout);
}

} // namespace
} // namespace locara
