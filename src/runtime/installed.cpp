// The part of Installer that deals with what is installed.
#include "installer_state.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <set>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kListLimitBytes = 8U << 20U;

/// The folders `<apps>/<publisher>/<name>/<version>`; what is no such name is skipped.
std::vector<fs::path> version_folders(const fs::path& name_folder) {
    std::vector<fs::path> out;
    std::error_code failed;
    for (fs::directory_iterator it(name_folder, failed), end; !failed && it != end;
         it.increment(failed)) {
        if (it->is_directory() && manifest::Version::parse(it->path().filename().string())) {
            out.push_back(it->path());
        }
    }
    std::sort(out.begin(), out.end(), [](const fs::path& a, const fs::path& b) {
        return *manifest::Version::parse(a.filename().string()) <
               *manifest::Version::parse(b.filename().string());
    });
    return out;
}

std::vector<manifest::AppId> installed_ids(const Home& home) {
    std::vector<manifest::AppId> ids;
    std::error_code failed;
    for (fs::directory_iterator publisher(home.apps(), failed), end; !failed && publisher != end;
         publisher.increment(failed)) {
        std::error_code inner;
        for (fs::directory_iterator name(publisher->path(), inner), last; !inner && name != last;
             name.increment(inner)) {
            auto id = manifest::AppId::parse(publisher->path().filename().string() + "/" +
                                             name->path().filename().string());
            if (id) {
                ids.push_back(std::move(*id));
            }
        }
    }
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<InstalledEntry> get_installed(const Home& home, const manifest::AppId& id) {
    const auto folders = version_folders(app_folder(home, id));
    if (folders.empty()) {
        return Error(ErrorCode::NotFound,
                     id.render() + " is not installed; `locara install " + id.render() +
                         "` installs it");
    }
    return read_installed(folders.back());
}

/// Files of all apps but one, by digest. Corrupt if it cannot be read what one of them needs.
Result<std::set<crypto::Sha256Digest>> referenced(const Home& home,
                                                  const std::optional<manifest::AppId>& but) {
    LOCARA_TRY(const auto locks, read_all_locks(home, but));
    std::set<crypto::Sha256Digest> out;
    for (const Lock& lock : locks) {
        for (const auto& model : lock.models) {
            for (const auto& file : model.files) {
                out.insert(file.sha256);
            }
        }
    }
    return out;
}

/// Adds what stays without any app: pinned and adopted files.
Status add_kept(const Home& home, store::Store& store, std::set<crypto::Sha256Digest>& digests) {
    LOCARA_TRY(const auto pins, Storage(home, store).pins());
    for (const Pin& pin : pins) {
        for (const auto& file : pin.files) {
            digests.insert(file.sha256);
        }
    }
    LOCARA_TRY(const auto adopted, store.list_adopted());
    for (const auto& record : adopted) {
        digests.insert(record.digest);
    }
    return {};
}

/// What is wrong with a file and what became of it.
std::string describe(const store::BadFile& bad) {
    std::string text = bad.reason;
    std::uint64_t bad_bytes = 0;
    for (const store::Span& span : bad.bad_spans) {
        bad_bytes += span.size();
    }
    if (bad.has_index) {
        text += "; " + render_size(bad_bytes) + " in " + std::to_string(bad.bad_spans.size()) +
                (bad.bad_spans.size() == 1 ? " place is bad" : " places are bad");
    }
    if (bad.part) {
        text += "; the good " + render_size(bad.part->received_bytes) +
                " are kept: installing or pulling it again fetches the rest";
    } else if (!bad.moved_to.empty()) {
        text += "; it was moved to " + bad.moved_to.string();
    }
    return text;
}

/// A file that somebody needs and the store lacks, with what became of it if that is known.
Problem missing(const std::string& subject,
                const LockedFile& file,
                const std::vector<store::Adopted>& lost,
                const std::string& what_to_do) {
    std::string text = file.path + " (" + file.sha256.render() + ") is not in the store";
    for (const store::Adopted& record : lost) {
        if (record.digest == file.sha256) {
            text += ": it was adopted from " + record.from.string() +
                    ", which is gone or has another size now";
        }
    }
    return {subject, text + "; " + what_to_do, file.sha256};
}

/// The manifest that the bundle's own locara.json pins for a role, or nothing.
bool is_pinned(const manifest::AppManifest& app, const LockedModel& model) {
    const auto* need = app.find_model(model.role);
    return need != nullptr &&
           (need->manifest == model.manifest ||
            std::find(need->fallbacks.begin(), need->fallbacks.end(), model.manifest) !=
                need->fallbacks.end());
}

} // namespace

fs::path app_folder(const Home& home, const manifest::AppId& id) {
    return home.apps() / id.publisher / id.name;
}

Result<std::vector<Lock>> read_all_locks(const Home& home,
                                         const std::optional<manifest::AppId>& but) {
    std::vector<Lock> locks;
    for (const auto& id : installed_ids(home)) {
        if (id == but) {
            continue;
        }
        for (const auto& folder : version_folders(app_folder(home, id))) {
            auto text = read_file(folder / "lock.json", 1U << 20U);
            if (!text && text.error().code() == ErrorCode::NotFound) {
                continue; // being removed: what has no lockfile is not installed
            }
            auto lock = text ? Lock::parse(*text) : Result<Lock>(std::move(text).error());
            if (!lock) {
                return Error(ErrorCode::Corrupt,
                             "what " + id.render() + " needs cannot be read (" +
                                 (folder / "lock.json").string() + ": " + lock.error().describe() +
                                 "); `locara install " + id.render() + "` or `locara rm " +
                                 id.render() + "` mends it");
            }
            locks.push_back(std::move(*lock));
        }
    }
    return locks;
}

std::uint64_t folder_bytes(const fs::path& folder) {
    std::uint64_t sum = 0;
    std::error_code failed;
    for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
        std::error_code ignored;
        if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) {
            sum += it->file_size(ignored);
        }
    }
    return sum;
}

Result<InstalledEntry> read_installed(const fs::path& folder) {
    LOCARA_TRY(const auto text, read_file(folder / "lock.json", 1U << 20U));
    LOCARA_TRY(auto lock, Lock::parse(text).context(folder.string()));
    LOCARA_TRY(const auto manifest_text,
               read_file(folder / "bundle/locara.json", manifest::kManifestLimitBytes));
    LOCARA_TRY(auto app, manifest::AppManifest::parse(manifest_text).context(folder.string()));
    if (app.id != lock.app || app.version != lock.version) {
        return Error(ErrorCode::Corrupt,
                     folder.string() + ": lock.json is of " + lock.app.render() + " " +
                         lock.version.render() + ", locara.json of " + app.id.render() + " " +
                         app.version.render() + "; install the app again");
    }
    return InstalledEntry{std::move(lock), std::move(app), folder};
}

Result<manifest::VerifiedModelManifest> read_locked_model(const InstalledEntry& app,
                                                          const LockedModel& locked) {
    LOCARA_TRY(
        auto bytes,
        read_file(app.folder / "models" / (locked.role + ".json"), manifest::kManifestLimitBytes));
    return manifest::VerifiedModelManifest::verify(std::move(bytes), locked.manifest)
        .context(app.folder.string());
}

Result<manifest::BundleFileList> read_bundle_list(const fs::path& folder, const Lock& lock) {
    LOCARA_TRY(const auto text, read_file(folder / "bundle.list", kListLimitBytes));
    LOCARA_TRY(auto list, manifest::BundleFileList::parse(text));
    if (list.id() != lock.files_sha256) {
        return Error(ErrorCode::Corrupt,
                     (folder / "bundle.list").string() +
                         " is not the list that was signed; install the app again");
    }
    return list;
}

Result<VerifiedInstall> open_installed(const Home& home, const manifest::AppId& id) {
    LOCARA_TRY(auto entry, get_installed(home, id));
    LOCARA_TRY(auto list, read_bundle_list(entry.folder, entry.lock));
    LOCARA_CHECK(manifest::verify_unpacked(entry.folder / "bundle", list));
    // Read again, now that it is known to be what was signed.
    LOCARA_TRY(const auto json,
               read_file(entry.folder / "bundle/locara.json", manifest::kManifestLimitBytes));
    LOCARA_TRY(entry.manifest, manifest::AppManifest::parse(json));
    std::vector<manifest::VerifiedModelManifest> models;
    for (const auto& model : entry.lock.models) {
        if (!is_pinned(entry.manifest, model)) {
            return Error(ErrorCode::Corrupt,
                         "lock.json of " + id.render() + " names a model for \"" + model.role +
                             "\" that the app does not pin; install the app again");
        }
        LOCARA_TRY(auto verified, read_locked_model(entry, model));
        models.push_back(std::move(verified));
    }
    return VerifiedInstall{std::move(entry), std::move(list), std::move(models)};
}

Result<std::vector<InstalledEntry>> Installer::list() const {
    std::vector<InstalledEntry> out;
    for (const auto& id : installed_ids(state_->options.home)) {
        auto entry = get_installed(state_->options.home, id);
        if (entry) {
            out.push_back(std::move(*entry));
        }
    }
    return out;
}

Result<InstalledEntry> Installer::get(const manifest::AppId& id) const {
    return get_installed(state_->options.home, id);
}

Result<Removal> Installer::plan_removal(const manifest::AppId& id) const {
    LOCARA_TRY(const auto entry, get(id));
    LOCARA_TRY(auto others, referenced(state_->options.home, id));
    LOCARA_CHECK(add_kept(state_->options.home, state_->store, others));
    Removal removal{
        id, entry.lock.version, {}, folder_bytes(app_folder(state_->options.home, id)), {}};
    std::set<crypto::Sha256Digest> counted;
    for (const auto& model : entry.lock.models) {
        for (const auto& file : model.files) {
            if (!counted.insert(file.sha256).second) {
                continue;
            }
            if (others.contains(file.sha256)) {
                removal.kept_files.push_back(file);
            } else if (state_->store.has(file.sha256)) {
                removal.files.push_back(file);
                removal.freed_bytes += state_->store.removable_bytes(file.sha256);
            }
        }
    }
    return removal;
}

Result<Removal> Installer::remove(const manifest::AppId& id) {
    auto& state = *state_;
    LOCARA_TRY(const auto turn, state.take_turn());
    // Who pulls a file that is here already needs it to stay until it is pinned.
    LOCARA_TRY(const auto alone, state.store.use_alone());
    LOCARA_TRY(auto removal, plan_removal(id));
    // Out of sight in one step, then gone at leisure: a kill leaves no half app.
    const auto folder = app_folder(state.options.home, id);
    LOCARA_TRY(const auto temporary, TempFolder::create(state.options.home.temporary(), "remove-"));
    LOCARA_CHECK(rename_file(folder, temporary.path() / "app", Replace::No));
    LOCARA_CHECK(sync_folder(folder.parent_path()));
    for (const auto& file : removal.files) {
        auto removed = state.store.remove(file.sha256);
        if (!removed && removed.error().code() != ErrorCode::NotFound) {
            return std::move(removed).error();
        }
    }
    std::error_code ignored; // the publisher's folder, if this was its last app
    fs::remove(folder.parent_path(), ignored);
    state.options.log->info("runtime", "removed", {{"app", id.render()}});
    return removal;
}

Storage Installer::storage() {
    return {state_->options.home, state_->store, *state_->options.clock};
}

Result<VerifyOutcome> Installer::verify(const std::optional<manifest::AppId>& id,
                                        store::VerifyOptions options,
                                        ProgressSink& progress) {
    auto& state = *state_;
    VerifyOutcome outcome;
    std::vector<manifest::AppId> ids;
    if (id) {
        LOCARA_CHECK(get(*id));
        ids.push_back(*id);
    } else {
        ids = installed_ids(state.options.home);
    }
    LOCARA_TRY(auto lost, state.store.list_lost());
    std::set<crypto::Sha256Digest> files;
    for (const auto& one : ids) {
        if (version_folders(app_folder(state.options.home, one)).empty()) {
            continue;
        }
        ++outcome.apps;
        auto opened = open_installed(state.options.home, one);
        if (!opened) {
            outcome.problems.push_back({one.render(), opened.error().describe(), std::nullopt});
            continue;
        }
        for (const auto& model : opened->entry.lock.models) {
            for (const auto& file : model.files) {
                if (!files.insert(file.sha256).second) {
                    continue;
                }
                if (!state.store.has(file.sha256)) {
                    outcome.problems.push_back(
                        missing(one.render(),
                                file,
                                lost,
                                "`locara install " + one.render() + "` fetches it again"));
                } else if (id) {
                    LOCARA_TRY(auto bad,
                               state.store.check(
                                   file.sha256, options.on_bad, progress, state.options.stop));
                    ++outcome.files;
                    if (!bad) {
                        outcome.bytes += file.size;
                        continue;
                    }
                    outcome.problems.push_back({file.path, describe(*bad), bad->digest});
                    outcome.bad.push_back(*std::move(bad));
                }
            }
        }
    }
    if (!id) {
        LOCARA_TRY(const auto broken, storage().broken_pins());
        for (const BrokenPin& pin : broken) {
            for (const auto& file : pin.missing) {
                if (files.insert(file.sha256).second) {
                    outcome.problems.push_back(missing(
                        pin.name,
                        file,
                        lost,
                        pin.is_file
                            ? "nothing says where it came from: adopt it again, or let it go by `" +
                                  pin.command() + "`"
                            : "`" + pin.command() + "` fetches it again"));
                }
            }
        }
        outcome.lost = std::move(lost);
        options.stop = state.options.stop;
        options.clock = state.options.clock;
        LOCARA_TRY(auto report, state.store.verify_all(options, progress));
        outcome.files = report.files;
        outcome.bytes = report.bytes;
        outcome.skipped = report.skipped;
        for (auto& bad : report.bad) {
            outcome.problems.push_back({bad.digest.render(), describe(bad), bad.digest});
            outcome.bad.push_back(std::move(bad));
        }
    }
    return outcome;
}

Result<DiskUse> Installer::disk_use() const {
    auto& state = *state_;
    DiskUse use;
    LOCARA_TRY(use.store, state.store.usage());
    use.apps = installed_ids(state.options.home).size();
    use.app_bytes = folder_bytes(state.options.home.apps());
    use.catalog_bytes = folder_bytes(state.options.home.catalogs());
    LOCARA_TRY(auto named, referenced(state.options.home, std::nullopt));
    LOCARA_CHECK(add_kept(state.options.home, state.store, named));
    LOCARA_TRY(const auto files, state.store.list());
    for (const auto& file : files) {
        if (!named.contains(file.digest)) {
            ++use.unreferenced_files;
            use.unreferenced_bytes += file.size;
        }
    }
    LOCARA_TRY(use.free_bytes, free_disk_bytes(state.store.root()));
    return use;
}

} // namespace locara::runtime
