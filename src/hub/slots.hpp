// Slots: how much of something costly runs at once, and for whom.
//
// Threads: all calls may come from any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace locara::hub {

/// Shared by those who take some of them.
class Slots : public std::enable_shared_from_this<Slots> {
  public:
    struct Limits {
        std::size_t all = 0;
        std::size_t per_client = 0;
    };

    /// One of them, until it goes.
    class Hold {
      public:
        Hold(std::shared_ptr<Slots> slots, std::string client);
        Hold(Hold&&) = default;
        Hold& operator=(Hold&&) = delete;
        ~Hold();

      private:
        std::shared_ptr<Slots> slots_;
        std::string client_;
    };

    explicit Slots(const Limits& limits) : limits_(limits) {}

    /// Nothing when all are taken, or the client has its share.
    std::optional<Hold> try_take(const std::string& client);

    /// Whether the client has as many as one may.
    bool has_share(const std::string& client) const;

  private:
    void give_back(const std::string& client);

    const Limits limits_;
    mutable std::mutex mutex_;
    std::size_t taken_ = 0;                   // under mutex_
    std::map<std::string, std::size_t> held_; // under mutex_; nobody who has none
};

} // namespace locara::hub
