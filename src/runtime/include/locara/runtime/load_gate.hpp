// LoadGate: the gate's question about weights that are about to be loaded. What enters the store
// was judged at its door; an engine opens it weeks later, when the gate may know more.
//
// The answer is kept in the store, by the file's digest and with who judged (docs/formats/store.md,
// `verdicts/`): while the scanners stay what they are, another start asks nobody.
// Threads: all functions may be called from any thread. They block.
#pragma once

#include <locara/engine/model_file.hpp>
#include <locara/formats/scan.hpp>
#include <locara/store/store.hpp>

#include <functional>
#include <string>

namespace locara::runtime {

class LoadGate {
  public:
    struct Gate {
        std::function<formats::Verdict(const Fd& fd, std::string_view name)> judge;
        /// Who that is, as gate::Gate::scanners.
        std::function<Result<std::string>()> scanners;
    };

    /// The one of this process (gate::shared_gate).
    static Gate shared();

    /// `store` is borrowed and must outlive this. Without a gate of its own it asks the shared one.
    explicit LoadGate(const store::Store& store) : LoadGate(store, shared()) {}

    LoadGate(const store::Store& store, Gate gate) : store_(store), gate_(std::move(gate)) {}

    /// Whether a file of the store may be loaded: only weights that the gate lets pass. Refused,
    /// with reason, rule, place and scanner, if not. A record that cannot be read or kept costs
    /// another question and is no error. While an antivirus is down, what passed before goes on to.
    Status check(const Fd& fd, const store::Digest& digest) const;

    /// For engine::ModelFiles. Borrows this.
    engine::ModelFiles::Judge as_judge() const;

  private:
    struct Record {
        std::string scanners;
        formats::Verdict verdict;
    };

    std::optional<Record> find(const store::Digest& digest) const;
    void keep(const store::Digest& digest, const Record& record) const;

    const store::Store& store_;
    const Gate gate_;
};

/// Whether what these scanners said counts while `now` judge: they are the same; or an antivirus
/// that is to be asked does not answer, and the rest of the gate, which is part of this program, is
/// the same.
bool still_counts(std::string_view said, const Result<std::string>& now);

} // namespace locara::runtime
