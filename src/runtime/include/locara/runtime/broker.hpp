// The broker: the one process that owns engines, tokens and the audit log, and the door for pages.
//
// It listens on 127.0.0.1 for pages (shell and apps, each on its own host name) and on a unix
// socket for our own tools (docs/local-api.md). It hands apps nothing but what their manifests
// name. Threads: a Broker runs threads of its own; its functions may be called from any other
// thread.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/log.hpp>
#include <locara/base/result.hpp>
#include <locara/engine/engine.hpp>
#include <locara/runtime/app_registry.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace locara::runtime {

/// The port that keeps the browser's storage of an app in place from start to start.
inline constexpr std::uint16_t kBrokerPort = 17863;

struct BrokerOptions {
    std::uint16_t port = kBrokerPort;  ///< 0 takes a free one (tests).
    std::filesystem::path unix_socket; ///< Its folder must be private to the user.
    std::filesystem::path audit_log;   ///< "<state folder>/audit.jsonl"
    std::filesystem::path share;       ///< Holds shell/ and prompt/; see find_share_folder.
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(15);
    /// For a chat template and its messages to become a text; then the engine is stopped.
    std::chrono::milliseconds template_timeout = std::chrono::seconds(10);
    std::uint64_t context_limit = 8192;    ///< Most tokens of context, whatever a model could take.
    AppRegistry* registry = nullptr;       ///< Borrowed; outlives the broker.
    engine::Supervisor* engines = nullptr; ///< Borrowed; outlives the broker.
    Log* log = nullptr;                    ///< Borrowed; null drops everything.
    const Clock* clock = &system_clock();  ///< Of the audit log.
};

/// "<folder of this program>/../share/locara". NotFound if there is no shell page in it.
Result<std::filesystem::path> find_share_folder();

class Broker {
  public:
    /// Starts to serve. Errors: Busy (port, socket or audit log taken: another broker runs),
    /// Corrupt (audit log), NotFound (no shell page), Io.
    static Result<std::unique_ptr<Broker>> start(BrokerOptions options);

    /// Gives open requests a moment, then ends everything but the engines.
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    std::uint16_t port() const;

    /// Returns when the broker should end: asked over the socket, by request_stop, or because
    /// nobody used it for idle_timeout.
    void wait();

    /// Makes wait return. Safe in a thread, not in a signal handler.
    void request_stop();

  private:
    struct State;
    explicit Broker(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::runtime
