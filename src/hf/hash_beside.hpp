// Hashing a part while other threads fill it. Private to the module.
#pragma once

#include <locara/base/result.hpp>
#include <locara/store/store.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace locara::hf {

/// Hashed between two looks at the rest of a pull.
inline constexpr std::uint64_t kHashStepBytes = 2U << 20U;

/// The threads that fill a part, as they count themselves. Borrowed.
struct Fillers {
    std::mutex& mutex;
    std::condition_variable_any& changed;
    const int& running; ///< Guarded by the mutex; `changed` is notified when it falls.
};

/// Hashes what arrives, in order, until none of the threads runs. `report` is called after each
/// step, `fail` with an error of the part; both without the lock.
void hash_beside(store::Part& part,
                 Fillers fillers,
                 const std::function<void()>& report,
                 const std::function<void(Error)>& fail);

} // namespace locara::hf
