// One of git's own programs (Debian's), at work for a request.
//
// It sees an environment of a few variables, no configuration but ours and that of the repository,
// and nothing of this process but its three descriptors. It runs behind walls (docs/sandbox.md,
// "Without namespaces"): of the disk it has /usr and its repository, and no network. It and what it
// starts are killed when its owner goes, when its time is up, and when nobody reads what it writes.
// Threads: start blocks, so it runs on a pool; everything else belongs to the executor's strand.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace locara::hub {

class GitProgram {
  public:
    /// What a program may do to its repository. Its quarantine it may always write to.
    enum class Access { Read, Write };

    struct Call {
        std::vector<std::string> arguments; ///< After "git": {"upload-pack", ...}.
        std::filesystem::path repository;   ///< Absolute; its GIT_DIR.
        Access access = Access::Read;
        std::filesystem::path quarantine;  ///< New objects go here; empty for the repository.
        std::string protocol;              ///< GIT_PROTOCOL, empty for none.
        Fd input;                          ///< Standard input; without one a pipe, see write.
        std::chrono::milliseconds time{0}; ///< From start to end.
    };

    /// How it ended.
    struct End {
        int code = 0;        ///< Its exit code; -1 when a signal ended it.
        std::string message; ///< The last that it wrote to standard error.
    };

    /// Errors: Unavailable when there is no git here or a wall cannot be raised, Timeout, Io.
    static Result<std::unique_ptr<GitProgram>> start(boost::asio::any_io_executor executor,
                                                     Call call);

    /// Of this process: how many were started, and how many have not ended. From any thread.
    struct Counts {
        std::uint64_t started = 0;
        std::uint64_t running = 0;
    };

    static Counts counts();

    ~GitProgram(); ///< Kills it.
    GitProgram(const GitProgram&) = delete;
    GitProgram& operator=(const GitProgram&) = delete;

    /// Reads from its standard output into the beginning of `buffer`; 0 at the end. Timeout, Io.
    boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> buffer);

    /// Writes all of `bytes` to its standard input. Conflict when it has stopped reading (its end
    /// says why), Io.
    boost::asio::awaitable<Status> write(ByteView bytes);

    /// Its standard input ends here.
    void close_input();

    /// Waits for its end. Timeout when its time was up.
    boost::asio::awaitable<Result<End>> wait();

  private:
    struct State;
    explicit GitProgram(std::shared_ptr<State> state);
    std::shared_ptr<State> state_; ///< Shared with what waits for the end of the process.
};

} // namespace locara::hub
