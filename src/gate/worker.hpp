// Worker: one sandboxed locara-gate process, and the socket to it.
//
// Threads: an object may be used by one thread at a time.
#pragma once

#include <locara/gate/gate.hpp>
#include <locara/sandbox/process.hpp>

namespace locara::gate {

class Worker {
  public:
    /// Starts the process and waits until it is ready. Unavailable (a wall, the YARA rules),
    /// NotFound (the program), Timeout, Corrupt.
    static Result<std::unique_ptr<Worker>> start(const Options& options);

    /// A verdict on the bytes. `file` is their descriptor, for reading only; nullptr: the worker is
    /// read to. After any error the worker is of no use: Unavailable (it died), Timeout, Corrupt
    /// (it answered something else).
    Result<formats::Examination> ask(const formats::ByteSource& source,
                                     const Fd* file,
                                     std::string_view name,
                                     const Options& options);

    /// How it ended or what it said last, for a message.
    std::string last_words() const;

    bool alive() const { return !process_->exit_status().has_value(); }

    int process_id() const { return process_->host_pid(); }

  private:
    Worker() = default;

    Fd socket_;
    std::unique_ptr<sandbox::Process> process_;
};

} // namespace locara::gate
