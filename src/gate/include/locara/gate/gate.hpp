// Gate: the one way in for files from outside. Every door asks it: scan, pull, install, adopt,
// seed.
//
// The formats gate and YARA look at a file in a sandboxed process (locara-gate: no network, no
// files but the open one, bounded memory and time), then ClamAV if one is configured. A verdict is
// always there: what fails is a refusal ("gate.worker", "antivirus.down"), never an "allow".
// Docs: docs/formats-gate.md (rules), docs/sandbox.md (walls).
// Threads: all functions may be called from any thread; each file waits for a free worker.
#pragma once

#include <locara/formats/scan.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace locara::gate {

/// Address space of a worker that has read nothing: the program, libraries, rules, stacks.
inline constexpr std::uint64_t kIdleBytes = 64U << 20U;

struct Options {
    /// The Unix socket of clamd. Without it no antivirus is asked.
    std::optional<std::filesystem::path> clamd;

    /// Of formats and YARA, each, for one file.
    std::chrono::milliseconds time = std::chrono::seconds(5);

    /// How long a worker may take for one file before it is killed, beside a second for each
    /// 16 MiB of it: several times `time`, since machines are busy and readers differ.
    std::chrono::milliseconds patience = std::chrono::seconds(30);

    /// Of a worker, beside what it takes before it reads anything (kIdleBytes).
    std::uint64_t memory_bytes = 256U << 20U;

    std::size_t workers = 2; ///< At once, at most. They are started when they are needed.

    /// The program and arguments of a worker. Empty: locara-gate from beside this program, else
    /// from <prefix>/libexec/locara, or wherever LOCARA_GATE says.
    std::filesystem::path program;
    std::vector<std::string> arguments;
};

class Gate {
  public:
    explicit Gate(Options options);

    /// Ends the workers.
    ~Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    /// Judges an open regular file, known by this name. The descriptor stays the caller's; the
    /// worker gets one of its own, for reading only.
    formats::Verdict judge(const Fd& fd, std::string_view name);

    /// The same for bytes that lie in no file of their own; the worker asks for those that it
    /// needs.
    formats::Verdict judge(const formats::ByteSource& source, std::string_view name);

    /// The same, with what the header of weights that pass says.
    formats::Examination examine(const Fd& fd, std::string_view name);
    formats::Examination examine(const formats::ByteSource& source, std::string_view name);

    /// For formats::scan_paths and formats::judge_file. Borrows the gate.
    formats::Judge as_judge();

    /// "ClamAV 1.0.9/27500/Mon Nov 23 ...", or nothing if none is configured. Unavailable if it is
    /// configured and does not answer, Unsupported if it takes for clean what exceeds its limits.
    /// For the hub's start.
    Result<std::optional<std::string>> check_antivirus() const;

    /// Who judges, in one line: each scanner with its version and that of its rules or signatures,
    /// "locara-formats 2.6.0; yara 4.2.3, rules 0a1b2c3d; ClamAV 1.0.9/27500/...". Of content that
    /// was judged by the same line before, the verdict is known. Unavailable if an antivirus is
    /// configured and does not answer.
    Result<std::string> scanners() const;

    /// The process ids of the workers that wait for a file. For tests.
    std::vector<int> idle_workers() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What of Gate::scanners is part of the program: formats and YARA with their rules. The line
/// begins with it.
std::string own_scanners();

/// The gate of this process: workers are processes, and there is one bound on them, so there is one
/// gate. `configure` sets its options; only before the first use of shared_gate(), else it has no
/// effect and answers false.
bool configure(Options options);
Gate& shared_gate();

/// Judges by the shared gate.
formats::Verdict judge(const Fd& fd, std::string_view name);
formats::Verdict judge(const formats::ByteSource& source, std::string_view name);

/// The same for a file that is still to be opened, as formats::scan_file does.
formats::Verdict judge_file(const std::filesystem::path& path);

} // namespace locara::gate
