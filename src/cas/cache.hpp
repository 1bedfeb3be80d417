// A bounded cache: what was used longest ago goes first.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace locara::cas {

/// Values are shared by the cache and whoever uses them at the moment. Thread-safe.
template <class Name, class Value> class Cache {
  public:
    explicit Cache(std::size_t limit_bytes) : limit_(limit_bytes) {}

    /// Null if it is not here.
    std::shared_ptr<const Value> find(const Name& name) {
        const std::lock_guard guard(mutex_);
        const auto it = places_.find(name);
        if (it == places_.end()) {
            return nullptr;
        }
        order_.splice(order_.begin(), order_, it->second);
        return it->second->value;
    }

    /// One larger than the limit is not kept.
    void put(const Name& name, std::shared_ptr<const Value> value, std::size_t bytes) {
        const std::lock_guard guard(mutex_);
        drop(name);
        if (bytes > limit_) {
            return;
        }
        order_.push_front({name, std::move(value), bytes});
        places_.emplace(name, order_.begin());
        used_ += bytes;
        while (used_ > limit_) {
            drop(Name(order_.back().name));
        }
    }

    void erase(const Name& name) {
        const std::lock_guard guard(mutex_);
        drop(name);
    }

  private:
    struct Item {
        Name name;
        std::shared_ptr<const Value> value;
        std::size_t bytes = 0;
    };

    void drop(const Name& name) {
        const auto it = places_.find(name);
        if (it != places_.end()) {
            used_ -= it->second->bytes;
            order_.erase(it->second);
            places_.erase(it);
        }
    }

    const std::size_t limit_;
    std::mutex mutex_;      ///< Guards the rest.
    std::list<Item> order_; ///< Used last comes first.
    std::unordered_map<Name, typename std::list<Item>::iterator> places_;
    std::size_t used_ = 0;
};

} // namespace locara::cas
