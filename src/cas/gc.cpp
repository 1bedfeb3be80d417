// Removing what nothing refers to. docs/formats/cas.md says why it is safe beside uploads.
#include "state.hpp"

#include <unordered_set>
#include <utility>

namespace locara::cas {

namespace {

class Collector {
  public:
    Collector(Cas::State& cas, const std::set<xet::FileHash>& live, const GcOptions& options)
        : cas_(cas), live_(live), options_(options),
          limit_(cas.options.clock->now() - options.grace) {}

    Result<GcReport> run() {
        LOCARA_CHECK(each(kFiles, [this](const ObjectInfo& o) { return look_at_file(o); }));
        for (const xet::FileHash& file : live_) {
            if (!file.is_zero() && !kept_files_.contains(file)) {
                report_.missing_files.push_back(file);
            }
        }
        LOCARA_CHECK(each(kXorbs, [this](const ObjectInfo& o) { return look_at_xorb(o); }));
        LOCARA_CHECK(each(kEntries, [this](const ObjectInfo& o) { return look_at_entry(o); }));
        LOCARA_CHECK(each(kDigests, [this](const ObjectInfo& o) { return look_at_digest(o); }));
        return std::move(report_);
    }

  private:
    Status each(std::string_view prefix, const std::function<Status(const ObjectInfo&)>& look) {
        return each_object(cas_.backend, prefix, [&](const ObjectInfo& object) -> Status {
            if (options_.stop.stop_requested()) {
                return Error(ErrorCode::Cancelled, "gc was stopped");
            }
            return look(object);
        });
    }

    /// Removes the object if nobody has used it lately; says whether it is (or would be) gone.
    Result<bool> collect(const ObjectInfo& object) {
        if (object.touched >= limit_) {
            return false;
        }
        if (options_.dry_run == GcOptions::DryRun::No) {
            const auto removed = cas_.backend.remove_if_older(object.key, limit_);
            if (!removed && removed.error().code() == ErrorCode::NotFound) {
                return true;
            }
            LOCARA_CHECK(removed);
            if (*removed == Backend::Removed::No) {
                return false;
            }
        }
        report_.freed_bytes += object.size;
        return true;
    }

    Status look_at_file(const ObjectInfo& object) {
        const auto file = parse_file_key(object.key.render());
        if (!file) {
            return {};
        }
        // Read before it may go, and not from the cache: what cannot be read ends the gc, since
        // nobody knows what it uses.
        const auto bytes = read_object(cas_.backend, object.key, xet::kMaxShardBytes);
        if (!bytes && bytes.error().code() == ErrorCode::NotFound) {
            return {}; // set aside since it was listed
        }
        LOCARA_CHECK(bytes);
        LOCARA_TRY(const auto block, Cas::State::parse_file(*file, *bytes));
        if (!live_.contains(*file)) {
            LOCARA_TRY(const bool gone, collect(object));
            if (gone) {
                cas_.files.erase(*file);
                ++report_.removed_files;
                return {};
            }
        }
        ++report_.live_files;
        report_.kept_bytes += object.size;
        kept_files_.insert(*file);
        used_xorbs_.merge(xorbs_in(block));
        return {};
    }

    Status look_at_xorb(const ObjectInfo& object) {
        const auto xorb = parse_xorb_key(object.key.render());
        if (!xorb) {
            return {};
        }
        if (!used_xorbs_.contains(*xorb)) {
            LOCARA_TRY(const bool gone, collect(object));
            if (gone) {
                cas_.tables.erase(*xorb);
                cas_.lookup.forget(*xorb);
                gone_xorbs_.insert(*xorb);
                ++report_.removed_xorbs;
                return {};
            }
            report_.young_xorbs.insert(*xorb);
        }
        report_.kept_bytes += object.size;
        return {};
    }

    Status look_at_entry(const ObjectInfo& object) {
        const auto entry = parse_entry_key(object.key.render());
        if (!entry) {
            return {};
        }
        bool needed = used_xorbs_.contains(entry->xorb);
        if (!needed && !gone_xorbs_.contains(entry->xorb)) { // it may have come since we looked
            LOCARA_TRY(const auto xorb, cas_.backend.find(key_of(entry->xorb)));
            needed = xorb.has_value();
        }
        return drop_unless(needed, object);
    }

    Status look_at_digest(const ObjectInfo& object) {
        const auto file = parse_digest_key(object.key.render());
        // One that is young stays anyway: its file may be about to come.
        return file ? drop_unless(kept_files_.contains(*file), object) : Status();
    }

    Status drop_unless(bool needed, const ObjectInfo& object) {
        if (!needed) {
            LOCARA_TRY(const bool gone, collect(object));
            if (gone) {
                ++report_.removed_entries;
                return {};
            }
        }
        report_.kept_bytes += object.size;
        return {};
    }

    Cas::State& cas_;
    const std::set<xet::FileHash>& live_;
    const GcOptions& options_;
    const TimePoint limit_; ///< What was touched before it may go.
    GcReport report_;
    std::unordered_set<xet::FileHash> kept_files_;
    std::set<xet::XorbHash> used_xorbs_;
    std::unordered_set<xet::XorbHash> gone_xorbs_;
};

} // namespace

Result<GcReport> Cas::gc(const std::set<xet::FileHash>& live, const GcOptions& options) {
    return Collector(*state_, live, options).run().context("collecting what nothing refers to");
}

Result<Stats> Cas::stats() const {
    Stats stats;
    LOCARA_CHECK(each_object(state_->backend, "", [&](const ObjectInfo& object) -> Status {
        const std::string& key = object.key.render();
        Stats::Kind& kind = key.starts_with(kXorbs)     ? stats.xorbs
                            : key.starts_with(kFiles)   ? stats.files
                            : key.starts_with(kEntries) ? stats.entries
                                                        : stats.other;
        ++kind.objects;
        kind.bytes += object.size;
        return {};
    }));
    return stats;
}

} // namespace locara::cas
