// What the disk holds for whom: who needs which file of the store, what may go, and what other
// programs have that need not be fetched.
//
// A file is needed when an installed app's lockfile names it, or a pin does. Pins are files below
// <data>/pins/ (docs/cli.md, "Files"): `locara pull` makes one for each model, people make others.
//
// Threads: a Storage belongs to one thread.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/runtime/foreign.hpp>
#include <locara/runtime/home.hpp>
#include <locara/runtime/lockfile.hpp>
#include <locara/store/store.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

class Takedowns;

/// Something that a person wants to keep without an app.
struct Pin {
    std::string name; ///< "publisher/model:variant", or "sha256:<64 hex>".
    std::string when; ///< RFC 3339.
    std::vector<LockedFile> files;
    std::string hub = "";      ///< Of a pulled model: its address, and
    std::string manifest = ""; ///< the bytes of its manifest, so that it can be fetched again.

    /// Pinned by its SHA-256 alone: nothing says where to fetch it.
    bool is_file() const;

    /// InvalidArgument, Unsupported (written by a newer version).
    static Result<Pin> parse(std::string_view text);
    std::string render() const;
};

/// Why a file stays.
struct Need {
    std::string by; ///< "app publisher/name 1.0.0", or "pin publisher/model:variant".
    std::string model;
    std::string variant;
    std::string role; ///< Of the app; empty for pins.
    std::string path; ///< What the file is called there.
    std::uint64_t size = 0;
};

/// All that needs anything, by file.
using Needs = std::multimap<store::Digest, Need>;

/// A pin of which files are not in the store.
struct BrokenPin {
    std::string name;
    std::vector<LockedFile> missing;
    bool is_file = false; ///< Pinned by its SHA-256 alone: nothing says where to fetch it.

    /// What to type.
    std::string command() const;
};

struct WhyFile {
    store::Digest digest;
    std::optional<std::uint64_t> size; ///< nullopt: not in the store.
    std::filesystem::path path;        ///< Where it is; empty if it is not.
    /// Why it is no longer here though it was adopted: changed, gone. Empty if nothing is wrong.
    std::string problem;
    std::vector<Need> needs;
    std::optional<store::Adopted> adopted;
    std::optional<store::PartInfo> part;
    bool has_index = false;
    std::uint64_t freed_bytes = 0; ///< What removing it would give back.
};

/// Bytes on disk, by what they are for. Files that several apps name count once, in `models`.
struct DiskShare {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
};

struct DiskReport {
    store::Usage store;
    std::vector<DiskShare> apps;   ///< The unpacked bundle and all the weights an app names.
    std::vector<DiskShare> models; ///< "id:variant" of apps and pins.
    DiskShare orphans;             ///< Files that nothing names and that are not adopted.
    std::uint64_t bundle_bytes = 0;
    std::uint64_t catalog_bytes = 0;
    std::uint64_t free_bytes = 0;
    /// What the same apps and models would take more if each had its own copy of what it names.
    std::uint64_t saved_between_apps_bytes = 0;
};

struct AdoptRequest {
    std::vector<std::filesystem::path> paths; ///< Empty: all known places.
    std::optional<store::LinkKind> link;
    enum class DryRun { No, Yes } dry_run = DryRun::No;
    unsigned threads = 1;
    std::stop_token stop;
    Environment environment = process_environment();
};

struct AdoptReport {
    struct Item {
        ForeignFile file;
        /// Adopted; AlreadyHere: the store has these bytes (dry run: so its name says); Found: only
        /// in a dry run; NotWeights: left alone in silence; Refused: by the format gate, and one
        /// might take it for weights, or called back; Failed: also a folder (`file` has no size)
        /// that could not be looked at, or not to its end.
        enum class Outcome {
            Adopted,
            AlreadyHere,
            Found,
            NotWeights,
            Refused,
            Failed
        } outcome = Outcome::Failed;
        std::optional<store::Digest> digest;
        std::optional<store::LinkKind> link;
        std::string format; ///< "gguf", "safetensors".
        std::string reason; ///< Of Refused and Failed.
    };

    std::vector<Item> items;
    std::uint64_t adopted_bytes = 0; ///< Need not be fetched any more.
};

std::string_view render(AdoptReport::Item::Outcome outcome);

class Storage {
  public:
    /// Borrows the store. `home` is copied.
    Storage(Home home, store::Store& store, const Clock& clock = system_clock())
        : home_(std::move(home)), store_(store), clock_(clock) {}

    /// Everything that installed apps and pins name. Corrupt when one lockfile or pin cannot be
    /// read: who then removes files might remove what is needed.
    Result<Needs> needs() const;

    Result<std::vector<Pin>> pins() const;
    Status add_pin(const Pin& pin);

    /// NotFound.
    Status remove_pin(const std::string& name);

    /// Pins of which not everything is here, by name.
    Result<std::vector<BrokenPin>> broken_pins() const;

    /// See store::Store::collect_garbage; `options.roots` is set here.
    Result<store::GcReport> collect_garbage(store::GcOptions options);

    /// What a reference stands for: a path in the store or of an adopted file, "[sha256:]<hex>", a
    /// model ("publisher/name[:variant]"), or the name of a file of a model. NotFound.
    Result<std::vector<WhyFile>> why(const std::string& reference) const;

    Result<DiskReport> disk_report() const;

    /// Takes over what other programs have, each file past the format gate and not called back. One
    /// that fails does not stop the others, and neither does a folder. NotFound (a path that was
    /// given), Cancelled, NoSpace. Progress: task "adopt".
    Result<AdoptReport> adopt(const AdoptRequest& request, ProgressSink& progress);

    /// Of digests that are wanted, those that a file in a known place claims to be.
    std::vector<ForeignFile> find_named(const std::set<store::Digest>& wanted,
                                        const Environment& environment) const;

  private:
    Result<AdoptReport::Item> adopt_one(const AdoptRequest& request,
                                        const ForeignFile& file,
                                        const std::vector<store::Adopted>& known,
                                        const Takedowns& takedowns,
                                        ProgressSink& progress);

    Home home_;
    store::Store& store_;
    const Clock& clock_;
};

} // namespace locara::runtime
