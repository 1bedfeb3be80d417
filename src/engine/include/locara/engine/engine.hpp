// The supervisor of engines: one sandboxed llama-server per model and purpose.
//
// An engine listens on a unix socket in a folder only we can enter; it has no network, sees its
// weights read-only and nothing else of ours. It starts when first wanted, is checked for health,
// is started again after a crash (waiting longer each time), and stops when nobody wants it. It
// dies with this process. Facts about llama-server: llama.cpp v0.5.0, tools/server/README.md.
//
// Threads: all functions may be called from any thread. ensure_running blocks (loading a large
// model takes many seconds): call it on a pool.
#pragma once

#include <locara/base/log.hpp>
#include <locara/base/result.hpp>
#include <locara/engine/model_file.hpp>
#include <locara/sandbox/profile.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::engine {

enum class Purpose {
    Text,      ///< Chat and completions.
    Embeddings ///< Vectors; llama-server then does nothing else.
};

/// What to run. Two specs with the same model, purpose and context share one engine.
struct EngineSpec {
    std::string model_id; ///< For messages: "locara/quick-add".
    store::Digest model;  ///< Digest of the model manifest.
    Purpose purpose = Purpose::Text;
    std::vector<ModelFile> weights;       ///< GGUF; first part first.
    std::uint64_t context_tokens = 4096;  ///< For each request.
    std::uint32_t parallel = 1;           ///< Requests at once; each gets its own context.
    std::uint32_t threads = 0;            ///< 0: the machine's processors.
    std::uint64_t kv_bytes_per_token = 0; ///< For the memory limit; 0 if unknown.
};

struct SupervisorOptions {
    std::filesystem::path llama_server;   ///< See find_llama_server.
    sandbox::Tools tools;                 ///< See sandbox::Tools::find.
    std::filesystem::path runtime_folder; ///< A private folder below it holds each engine's socket.
    std::chrono::milliseconds start_timeout = std::chrono::minutes(3);
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(5);
    std::chrono::milliseconds first_backoff{250}; ///< Doubles with each crash in a row,
    std::chrono::milliseconds max_backoff = std::chrono::seconds(30); ///< up to this;
    std::chrono::milliseconds calm = std::chrono::minutes(1); ///< forgotten after so long a life.
    Log* log = nullptr;                                       ///< Borrowed; null drops everything.
};

/// The llama-server to use: LOCARA_ENGINE if set, else the one beside this program, else
/// ../libexec/locara/llama-server. Unavailable, saying where it looked.
Result<std::filesystem::path> find_llama_server();

struct EngineStatus {
    std::string model_id;
    store::Digest model;
    Purpose purpose = Purpose::Text;
    bool running = false;
    pid_t pid = -1; ///< Of llama-server, as seen from outside; -1 if not running.
    std::uint32_t in_use = 0;
    std::uint32_t starts = 0; ///< Over the supervisor's life.
    sandbox::Walls walls;     ///< Of the running process.
};

struct Instance;

/// Keeps an engine alive while it is in use. Move-only; give it back by destroying it.
class Lease {
  public:
    Lease(Lease&&) noexcept;
    Lease& operator=(Lease&&) noexcept;
    ~Lease();

    /// Where the engine listens. Valid as long as the lease.
    const std::filesystem::path& socket() const;

    /// The process that serves this lease (llama-server as seen from outside).
    pid_t pid() const;

    /// Turns a failure to talk to the engine into what really happened: Unavailable "the engine
    /// stopped while answering (signal 9); it will be restarted" if it is gone (waits up to half a
    /// second to see), else the error as it is.
    Error explain(Error error) const;

  private:
    friend class Supervisor;
    struct State;
    explicit Lease(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Supervisor {
  public:
    /// Makes the runtime folder (mode 0700). Errors: Forbidden or Io from the folder.
    static Result<std::unique_ptr<Supervisor>> create(SupervisorOptions options);

    /// Stops every engine.
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// The engine of `spec`, healthy, started if need be. Errors: Corrupt or Unsupported (the model
    /// cannot be loaded; carries llama-server's own last words), NoSpace (memory), Unavailable (a
    /// wall cannot be built, or it stopped for another reason), Timeout, Cancelled (by `stop`),
    /// InvalidArgument (no weights, no context).
    Result<Lease> ensure_running(const EngineSpec& spec, std::stop_token stop = {});

    /// Stops engines of a model now, in use or not (takedown, removal). One that is starting ends
    /// before anybody gets it; who waits for it gets Unavailable.
    void stop_model(const store::Digest& model);

    std::vector<EngineStatus> status() const;

  private:
    struct State;
    explicit Supervisor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::engine
