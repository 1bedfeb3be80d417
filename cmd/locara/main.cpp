// The program: flags in, one command, exit code out. Errors are told here and nowhere else.
#include "context.hpp"
#include "model_commands.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

#include <clocale>
#include <cstdio>
#include <functional>
#include <sstream>

namespace {

using namespace locara;
using namespace locara::cli;

/// A command's first line in lists, its whole text (with the examples) in its own help.
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_subcommand(const CLI::App* sub) const override {
        const auto description = sub->get_description();
        std::string name = "  " + sub->get_name();
        name.resize(std::max<std::size_t>(name.size() + 2, 14), ' ');
        return name + description.substr(0, description.find('\n')) + "\n";
    }
};

constexpr const char* kMainText =
    "Find, check, install and run AI apps that stay on this machine.\n"
    "\n"
    "Examples:\n"
    "  locara hub add https://hub.example.org     know a catalog, after a look at its fingerprint\n"
    "  locara search task                         apps whose card says \"task\"\n"
    "  locara run locara/quick-add                show the plan, install, start\n"
    "  locara run locara/quick-add --once \"call mom tomorrow at 5pm\"\n"
    "  locara doctor                              what is wrong, and the command that mends it\n";

void add_flags(CLI::App& app, Flags& flags) {
    app.add_flag("--json", flags.json, "One JSON object on standard output");
    app.add_flag("-q,--quiet", flags.quiet, "Only ids and results");
    app.add_flag("-y,--yes", flags.yes, "Answer yes to the plan (never to a license or a hub)");
    app.add_flag("--accept-powers",
                 flags.accept_powers,
                 "With --yes: also to what a new version may do and the installed one could not");
    app.add_flag("-n,--dry-run", flags.dry_run, "Say what would be done");
    app.add_flag("--offline", flags.offline, "Do not use the network");
    app.add_flag("-v,--verbose", flags.verbose, "More on standard error; twice for all");
    app.add_option("--hub", flags.hub, "Only this hub")->type_name("URL");
    app.add_option("--endpoint", flags.endpoint, "Where weights come from")->type_name("URL");
    app.add_option("--progress", flags.progress, "auto, tty, plain, json or none")
        ->type_name("HOW");
    app.add_option("--color", flags.color, "Colour; auto: on a terminal, unless NO_COLOR is set")
        ->type_name("WHEN")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    app.add_option("--accept-license", flags.accepted_licenses, "Accept restrictive terms by name")
        ->type_name("ID");
}

/// The command line: its values, and which command was chosen.
class CommandLine {
  public:
    CommandLine() : app_(kMainText, "locara") {
        app_.formatter(std::make_shared<HelpFormatter>());
        app_.set_version_flag("--version", "locara " LOCARA_VERSION);
        app_.require_subcommand(0, 1);
        add_flags(app_, flags);
        add_hub();
        add_catalog();
        add_installed();
        add_storage();
        add_runtime();
        add_publishing();
        app_.footer("`locara COMMAND --help` shows examples. Exit codes and files: docs/cli.md.");
    }

    CLI::App& app() { return app_; }

    Result<int> run(Context& context) {
        return command_ ? command_(context) : run_welcome(context);
    }

    Flags flags;

  private:
    CLI::App* add(CLI::App& parent,
                  const std::string& name,
                  const std::string& text,
                  std::function<Result<int>(Context&)> command) {
        auto* sub = parent.add_subcommand(name, text);
        sub->fallthrough();
        sub->footer(
            "The options of `locara --help` (--json, --quiet, --offline, ...) work here too.");
        if (command) {
            sub->final_callback([this, command = std::move(command)] { command_ = command; });
        }
        return sub;
    }

    void add_hub() {
        auto* hub = add(app_,
                        "hub",
                        "Hubs whose catalogs you trust\n\nExamples:\n"
                        "  locara hub add https://hub.example.org\n"
                        "  locara hub add http://127.0.0.1:17864 --root root.json\n"
                        "  locara hub list\n",
                        nullptr);
        hub->require_subcommand(1);
        auto* add_one =
            add(*hub,
                "add",
                "Trust a hub: pins its root after you compared the fingerprint\n\nExamples:\n"
                "  locara hub add https://hub.example.org\n"
                "  locara hub add https://hub.example.org --fingerprint 9f2c...\n"
                "  locara hub add --from /media/stick/bundle\n",
                [this](Context& context) { return run_hub_add(context, hub_add_); });
        add_one->add_option("url", hub_add_.url, "Address of the hub");
        auto* root =
            add_one->add_option("--root", hub_add_.root_file, "The root, as a file of yours")
                ->type_name("FILE");
        add_one->add_option("--fingerprint", hub_add_.fingerprint, "SHA-256 of the root")
            ->type_name("HEX")
            ->excludes(root);
        add_one->add_option("--from", hub_add_.from, "An offline bundle instead of the network")
            ->type_name("DIR");
        add(*hub, "list", "The hubs you know, and how fresh their catalogs are", run_hub_list);
        auto* remove = add(*hub,
                           "rm",
                           "Forget a hub; what was installed from it stays",
                           [this](Context& context) { return run_hub_remove(context, url_); });
        remove->add_option("url", url_, "Address of the hub")->required();
    }

    void add_catalog() {
        auto* search = add(
            app_,
            "search",
            "Find apps in the catalogs\n\nExamples:\n  locara search\n  locara search task note\n"
            "  locara search --refresh --json\n",
            [this](Context& context) { return run_search(context, words_, refresh_); });
        search->add_option("words", words_, "Words that the card must hold");
        search->add_flag("--refresh", refresh_, "Ask the hubs first");
        auto* show =
            add(app_,
                "show",
                "One app's card; works offline\n\nExamples:\n  locara show locara/quick-add\n"
                "  locara show locara/quick-add@1.0.0 --json\n",
                [this](Context& context) { return run_show(context, run_.app); });
        show->alias("info");
        show->add_option("app", run_.app, "publisher/name[@version]")->required();
    }

    void add_installed() {
        auto* install = add(
            app_,
            "install",
            "Install apps: shows the plan, asks, fetches, verifies\n\nExamples:\n"
            "  locara install locara/quick-add\n  locara install locara/quick-add --yes --json\n"
            "  locara install locara/quick-add --dry-run\n"
            "  locara install --from /media/stick/bundle      without a network\n",
            [this](Context& context) { return run_install(context, words_, from_); });
        install->add_option("app", words_, "publisher/name[@version]");
        install->add_option("--from", from_, "An offline bundle instead of the network")
            ->type_name("DIR");
        auto* bundle =
            add(app_,
                "bundle",
                "Put installed apps into a folder for machines without a network\n\nExamples:\n"
                "  locara bundle locara/quick-add -o /media/stick/bundle\n"
                "  locara bundle acme/notes -o bundle --license gemma-terms.txt\n",
                [this](Context& context) { return run_bundle(context, bundle_); });
        bundle->add_option("app", bundle_.apps, "publisher/name[@version]")->required();
        bundle->add_option("-o,--output", bundle_.folder, "The folder, new or empty")
            ->required()
            ->type_name("DIR");
        bundle->add_option("--license", bundle_.licenses, "The text of a license that goes along")
            ->type_name("FILE");
        auto* list = add(app_,
                         "list",
                         "What is installed\n\nExamples:\n  locara list\n  locara list --json\n",
                         run_list);
        list->alias("ls");
        auto* remove = add(app_,
                           "rm",
                           "Remove apps, and the weights that no other app uses\n\nExamples:\n"
                           "  locara rm locara/quick-add\n  locara rm locara/quick-add --dry-run\n",
                           [this](Context& context) { return run_remove(context, words_); });
        remove->alias("uninstall");
        remove->add_option("app", words_, "publisher/name")->required();
        auto* pull =
            add(app_,
                "pull",
                "Fetch a model into the store without an app\n\nExamples:\n  locara pull "
                "locara/quick-add\n"
                "  locara pull locara/quick-add:f16\n  locara pull --manifest manifest.json\n",
                [this](Context& context) -> Result<int> {
                    if (run_.app.empty() == manifest_file_.empty()) {
                        return Error(
                            ErrorCode::InvalidArgument,
                            "pull wants a model or a manifest; `locara pull --help` shows both");
                    }
                    return run_pull(context, run_.app, manifest_file_);
                });
        pull->add_option("model", run_.app, "publisher/name[:variant] from a catalog");
        pull->add_option("--manifest", manifest_file_, "A model manifest that you vouch for")
            ->type_name("FILE");
        auto* scan = add(app_,
                         "scan",
                         "Judge files by their content, as the gate does\n\nExamples:\n  locara "
                         "scan model.safetensors\n"
                         "  locara scan downloads/ --json      exit 8 if anything is refused\n",
                         [this](Context& context) { return run_scan(context, words_); });
        scan->add_option("path", words_, "Files and folders")->required();
        add_policy();
        add_xet();
    }

    void add_policy() {
        auto* policy = add(app_,
                           "policy",
                           "What policy.toml refuses on this machine\n\nExamples:\n"
                           "  locara policy test locara/quick-add\n",
                           nullptr);
        policy->require_subcommand(1);
        auto* test =
            add(*policy,
                "test",
                "Explain each rule for an app or a model; exit 8 if it is refused\n\nExamples:\n"
                "  locara policy test locara/quick-add\n"
                "  locara policy test locara/quick-add:f16 --json      a model of a catalog\n",
                [this](Context& context) { return run_policy_test(context, name_); });
        test->add_option("ref", name_, "publisher/name[@version] or model[:variant]")->required();
    }

    void add_xet() {
        auto* xet = add(app_,
                        "xet",
                        "What files are made of, as the Xet protocol sees it\n\nExamples:\n"
                        "  locara xet inspect model.safetensors\n"
                        "  locara xet dedup v1.safetensors v2.safetensors\n",
                        nullptr);
        xet->require_subcommand(1);
        auto* inspect =
            add(*xet,
                "inspect",
                "A file's chunks and hashes\n\nExamples:\n"
                "  locara xet inspect model.safetensors\n"
                "  locara xet inspect model.safetensors --json\n",
                [this](Context& context) { return run_xet_inspect(context, words_[0]); });
        inspect->add_option("file", words_, "File")->required()->expected(1);
        auto* dedup =
            add(*xet,
                "dedup",
                "Which bytes of a file another one does not have\n\nExamples:\n"
                "  locara xet dedup v1.safetensors v2.safetensors\n"
                "  locara xet dedup v1.safetensors v2.safetensors --json\n",
                [this](Context& context) { return run_xet_dedup(context, words_[0], words_[1]); });
        dedup->add_option("files", words_, "The old file, then the new one")
            ->required()
            ->expected(2);
    }

    void add_storage() {
        auto* verify =
            add(app_,
                "verify",
                "Hash everything again, or one app with its weights\n\nExamples:\n"
                "  locara verify                    goes on where an interrupted run ended\n"
                "  locara verify --all              from the start\n"
                "  locara verify --repair           fetch what is bad or missing again\n"
                "  locara verify locara/quick-add\n",
                [this](Context& context) { return run_verify(context, verify_); });
        verify->add_option("app", verify_.app, "publisher/name");
        verify->add_flag("--all", verify_.all, "Do not go on with an interrupted run");
        verify->add_flag("--repair", verify_.repair, "Keep what is good, fetch the rest again");
        add(app_,
            "df",
            "Where the disk went, and what was saved\n\nExamples:\n  locara df\n"
            "  locara df --json\n",
            run_df);
        auto* why = add(app_,
                        "why",
                        "Why a file is here, and what removing it would free\n\nExamples:\n"
                        "  locara why locara/quick-add-tiny\n  locara why sha256:9f2c...\n"
                        "  locara why ~/.cache/huggingface/hub/models--org--name/blobs/9f2c...\n",
                        [this](Context& context) { return run_why(context, name_); });
        why->add_option("what", name_, "A model, a SHA-256, or the path of a file")->required();
        auto* gc = add(app_,
                       "gc",
                       "Remove what no app and no pin needs\n\nExamples:\n  locara gc --dry-run\n"
                       "  locara gc --older-than 30d\n"
                       "  locara gc --adopted        let go of what other programs hold, too\n",
                       [this](Context& context) { return run_gc(context, gc_); });
        gc->alias("prune");
        gc->add_option("--older-than", gc_.older_than, "Only what is that old, as 30d, 12h, 0s")
            ->type_name("AGE");
        gc->add_flag("--adopted", gc_.adopted, "Also adopted files that nothing needs");
        auto* adopt =
            add(app_,
                "adopt",
                "Use weights that other programs have, without a second copy\n\nExamples:\n"
                "  locara adopt --dry-run       what is found, and where\n"
                "  locara adopt                 Hugging Face cache, Ollama, LM Studio, Jan, ...\n"
                "  locara adopt ~/models --link reference\n",
                [this](Context& context) { return run_adopt(context, adopt_); });
        adopt->alias("import");
        adopt->add_option("path", adopt_.paths, "Files and folders; without any, the known places");
        adopt->add_option("--link", adopt_.link, "auto, reflink, hardlink or reference")
            ->type_name("HOW");
        auto* pin = add(app_,
                        "pin",
                        "Keep a file of the store without an app\n\nExamples:\n"
                        "  locara pin sha256:9f2c...\n",
                        [this](Context& context) { return run_pin(context, name_); });
        pin->add_option("file", name_, "Its SHA-256")->required();
        auto* unpin =
            add(app_,
                "unpin",
                "Let go of what was pinned or pulled\n\nExamples:\n"
                "  locara unpin locara/quick-add-tiny:f16\n  locara unpin sha256:9f2c...\n",
                [this](Context& context) { return run_unpin(context, name_); });
        unpin->add_option("name", name_, "As `locara df` shows it")->required();
    }

    void add_runtime() {
        auto* run =
            add(app_,
                "run",
                "Start an app; installs it first if need be\n\nExamples:\n  locara run "
                "locara/quick-add\n"
                "  locara run locara/quick-add --open\n"
                "  locara run locara/quick-add --once \"lunch with Ana next Friday at noon\"\n",
                [this](Context& context) { return run_app(context, run_); });
        run->add_option("app", run_.app, "publisher/name[@version]")->required();
        run->add_option(
               "--once", run_.once, "Print the app's answer to this text, and nothing else")
            ->type_name("TEXT");
        run->add_flag("--open", run_.open, "Open it in the browser");
        auto* serve = add(app_,
                          "serve",
                          "Run the broker in the foreground\n\nExamples:\n  locara serve\n  locara "
                          "serve --port 18000\n",
                          [this](Context& context) { return run_serve(context, serve_); });
        serve->add_option("--port", serve_.port, "For pages; 17863 unless LOCARA_PORT says else")
            ->check(CLI::Range(1, 65535))
            ->type_name("PORT");
        serve->add_option("--idle", serve_.idle_seconds, "Stop after so long without use")
            ->type_name("SECONDS");
        serve->add_option("--context-limit", serve_.context_limit, "Most tokens of context")
            ->type_name("TOKENS");
        add(app_, "stop", "Stop the broker and its engines", run_stop);
        auto* status = add(app_, "status", "What runs; exit 3 if nothing does", run_status);
        status->alias("ps");
        add(app_,
            "doctor",
            "What is wrong here, each with the command that mends it\n\nExamples:\n  locara "
            "doctor\n",
            run_doctor);
    }

    void add_publishing() {
        auto* lint = add(app_,
                         "lint",
                         "Check an app of yours as a hub will; exit 8 if it may not be published"
                         "\n\nExamples:\n  locara lint apps/task-form\n"
                         "  locara lint apps/task-form --json\n",
                         [this](Context& context) { return run_lint(context, words_[0]); });
        lint->add_option("folder", words_, "The app: a folder with locara.json")
            ->required()
            ->expected(1);
        auto* publish = add(
            app_,
            "publish",
            "Check an app of yours and put it into its repository of a hub\n\nExamples:\n"
            "  locara publish apps/task-form --endpoint https://hub.example.org\n"
            "  locara publish apps/task-form --dry-run\n",
            [this](Context& context) { return run_publish(context, words_[0], upload_.message); });
        publish->add_option("folder", words_, "The app: a folder with locara.json")
            ->required()
            ->expected(1);
        publish->add_option("--message", upload_.message, "Of the commit")->type_name("TEXT");
        auto* upload =
            add(app_,
                "upload",
                "Put files into a repository of a hub; sends only what it lacks\n\nExamples:\n"
                "  locara upload acme/small model.gguf --endpoint https://hub.example.org\n"
                "  locara upload acme/small model-v2.gguf --path-in-repo model.gguf --message "
                "\"Retrained\"\n"
                "  locara upload acme/texts train.parquet README.md --type dataset --create\n",
                [this](Context& context) { return run_upload(context, upload_); });
        upload->add_option("repo", upload_.repo, "org/name")->required();
        upload->add_option("file", upload_.files, "Files of yours")->required();
        upload
            ->add_option("--path-in-repo",
                         upload_.path,
                         "Where to: the path of one file, the folder of several")
            ->type_name("PATH");
        upload->add_option("--message", upload_.message, "Of the commit")->type_name("TEXT");
        upload->add_option("--revision", upload_.revision, "The branch")->type_name("NAME");
        upload->add_option("--parent", upload_.parent, "Fail if the branch has moved on from here")
            ->type_name("COMMIT");
        upload->add_option("--type", upload_.type, "model, dataset or app")
            ->check(CLI::IsMember({"model", "dataset", "app"}));
        upload->add_flag("--create", upload_.create, "Make the repository if it is not there");
        add_model();
    }

    void add_model() {
        auto* model = add(app_,
                          "model",
                          "Make, check and sign what is said of a model\n\nExamples:\n"
                          "  locara model pin acme/small@main -o manifest.json\n"
                          "  locara model sign models/quick-add --key models-1.pem\n"
                          "  locara model verify models/quick-add\n",
                          nullptr);
        model->require_subcommand(1);
        auto* pin =
            add(*model,
                "pin",
                "Make a manifest of a repository on a hub; fetches headers only\n\nExamples:\n"
                "  locara model pin acme/small                       to standard output\n"
                "  locara model pin acme/small@v1.0 -o manifest.json\n"
                "  locara model pin acme/small --hub https://hub.example.org --json\n",
                [this](Context& context) { return run_model_pin(context, model_pin_); });
        pin->add_option("ref", model_pin_.ref, "org/repo[@branch, tag or commit]")->required();
        pin->add_option("-o,--output", model_pin_.output, "The file to write; must not be there")
            ->type_name("FILE");
        pin->add_option("--id", model_pin_.id, "Instead of one made of the repository's name")
            ->type_name("PUBLISHER/NAME");
        pin->add_option(
               "--model-version", model_pin_.version, "Of the manifest; 1.0.0 if not given")
            ->type_name("VERSION");
        auto* license =
            pin->add_option("--license", model_pin_.license, "Where the card names none")
                ->type_name("ID");
        pin->add_option("--license-instead-of",
                        model_pin_.license_instead_of,
                        "What the card names, if --license is another; the manifest says so")
            ->type_name("CARD_ID")
            ->needs(license);
        pin->add_option("--default", model_pin_.default_variant, "Which variant to take first")
            ->type_name("VARIANT");
        auto* build =
            add(*model,
                "build",
                "Make a variant again from its base; exit 6 if its bytes are others\n\nExamples:\n"
                "  locara model build manifest.json --variant q8_0\n"
                "  locara model build manifest.json --variant q8_0 --base safetensors --via BF16\n"
                "  locara model build manifest.json --variant q8_0 --from repo -o built --json\n",
                [this](Context& context) { return run_model_build(context, model_build_); });
        build->add_option("manifest", model_build_.manifest, "A model manifest that you vouch for")
            ->required();
        build->add_option("--variant", model_build_.variant, "Which one")->type_name("NAME");
        build
            ->add_option("--base",
                         model_build_.base,
                         "From which; the one without quantization, else `safetensors`")
            ->type_name("NAME");
        build
            ->add_option("--via",
                         model_build_.via,
                         "What safetensors become before they are quantized; as they are stored")
            ->check(CLI::IsMember({"F32", "F16", "BF16"}))
            ->type_name("TYPE");
        build->add_option("--from", model_build_.from, "A folder with the files, instead of a hub")
            ->type_name("DIR");
        build
            ->add_option(
                "-o,--output", model_build_.output, "Where the file goes; here if not given")
            ->type_name("DIR");
        auto* validate =
            add(*model,
                "validate",
                "Run a manifest's probes and measure; exit 6 if one fails\n\nExamples:\n"
                "  locara model validate manifest.json\n"
                "  locara model validate manifest.json --ask \"call mom tomorrow at 5pm\"\n"
                "  locara model validate manifest.json --from repo --text notes.txt --json\n",
                [this](Context& context) { return run_model_validate(context, model_validate_); });
        validate->add_option("manifest", model_validate_.manifest, "Is read, and written")
            ->required();
        validate->add_option("--variant", model_validate_.variants, "Only this one; repeatable")
            ->type_name("NAME")
            ->allow_extra_args(false);
        validate
            ->add_option("--ask",
                         model_validate_.questions,
                         "Adds a probe that expects what the default variant answers; repeatable")
            ->type_name("TEXT")
            ->allow_extra_args(false);
        validate->add_option("--text", model_validate_.text_file, "Perplexity over this text")
            ->type_name("FILE");
        validate
            ->add_option(
                "--from", model_validate_.from, "A folder with the files, instead of a hub")
            ->type_name("DIR");
        auto* sign =
            add(*model,
                "sign",
                "Sign a model's folder (manifest.json, repo/) that was validated\n\nExamples:\n"
                "  locara model sign models/quick-add --key models-1.pem\n",
                [this](Context& context) { return run_model_sign(context, model_sign_); });
        sign->add_option("folder", model_sign_.folder, "With manifest.json and repo/")->required();
        sign->add_option("--key", model_sign_.key_file, "Private key, of `locara-hub keys new`")
            ->required()
            ->type_name("FILE");
        auto* verify =
            add(*model,
                "verify",
                "Check model.sig against a model's folder\n\nExamples:\n"
                "  locara model verify models/quick-add            keys of known catalogs\n"
                "  locara model verify models/quick-add --key models-1.pem.pub\n",
                [this](Context& context) { return run_model_verify(context, model_verify_); });
        verify->add_option("folder", model_verify_.folder, "With manifest.json, repo/, model.sig")
            ->required();
        verify->add_option("--key", model_verify_.key_file, "Public key, as FILE.pub")
            ->type_name("FILE");
    }

    CLI::App app_;
    std::function<Result<int>(Context&)> command_;
    std::string url_;
    HubAddRequest hub_add_;
    std::string from_;
    BundleWords bundle_;
    std::string manifest_file_;
    std::vector<std::string> words_;
    bool refresh_ = false;
    std::string name_;
    VerifyRequest verify_;
    GcRequest gc_;
    AdoptWords adopt_;
    RunOptions run_;
    ServeOptions serve_;
    UploadArguments upload_;
    ModelBuildRequest model_build_;
    ModelPinRequest model_pin_;
    ModelValidateRequest model_validate_;
    ModelSignRequest model_sign_;
    ModelVerifyRequest model_verify_;
};

int run(CommandLine& line, int argc, char** argv) {
    try {
        line.app().parse(argc, argv);
    } catch (const CLI::ParseError& why) {
        if (why.get_exit_code() == 0) {
            std::ostringstream words; // help and version
            line.app().exit(why, words);
            write_output(words.str());
            return 0;
        }
        std::string command = "locara";
        for (const CLI::App* chosen = &line.app(); !chosen->get_subcommands().empty();) {
            chosen = chosen->get_subcommands()[0];
            command += " " + chosen->get_name();
        }
        // That a subcommand is missing is the lesser half of it when there is a word in its place.
        const auto unknown = line.app().remaining(true);
        const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&why) != nullptr;
        const std::string what = is_missing && !unknown.empty()
                                     ? "The following argument was not expected: " + unknown[0]
                                     : why.what();
        return Context(line.flags)
            .tell(Error(ErrorCode::InvalidArgument, what + "; see `" + command + " --help`"));
    }
    Context context(line.flags);
    if (auto mode = parse_progress_mode(line.flags.progress); !mode) {
        return context.tell(mode.error());
    }
    try {
        const auto result = line.run(context);
        return result ? *result : context.tell(result.error());
    } catch (const std::exception& why) {
        return context.tell(
            Error(ErrorCode::Internal,
                  std::string("unexpected: ") + why.what() + "; please report this"));
    }
}

} // namespace

int main(int argc, char** argv) {
    // Names in archives are UTF-8; messages stay as they are.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    watch_interrupts();
    CommandLine line;
    const int exit = run(line, argc, argv);
    return end_output(exit, [&line](const Error& why) { return Context(line.flags).tell(why); });
}
