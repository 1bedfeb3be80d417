// Model signatures: what we sign, what we take, and what we refuse.
#include "samples.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace locara::manifest {
namespace {

using ::testing::HasSubstr;

crypto::SigningKey key_of(unsigned char seed) {
    return crypto::SigningKey::from_seed(Bytes(32, std::byte{seed})).value();
}

crypto::Sha256Digest digest_of(std::string_view text) {
    return crypto::sha256(as_bytes(text));
}

class ModelSignatureTest : public ::testing::Test {
  protected:
    ModelSignatureTest() {
        statement.repo = "acme/small";
        statement.revision = std::string(40, 'a');
        statement.files = {{"model.gguf", digest_of("weights")},
                           {"tokenizer/vocab.json", digest_of("{}")},
                           {"README.md", digest_of("# Small\n")}};
    }

    /// The bundle after `change` of its payload (as JSON) or of itself, signed anew by our key.
    std::string signed_payload(const std::function<void(Json&)>& change) const {
        Json payload = parse_json(statement.render().value()).value();
        change(payload);
        return sign(render_json(payload));
    }

    /// A bundle around any payload: signed as sign_model does.
    std::string sign(const std::string& payload,
                     std::string type = "application/vnd.in-toto+json") const {
        const std::string encoding = "DSSEv1 " + std::to_string(type.size()) + " " + type + " " +
                                     std::to_string(payload.size()) + " " + payload;
        Json bundle = parse_json(sign_model(statement, key).value()).value();
        bundle["dsseEnvelope"]["payload"] = render_base64(as_bytes(payload));
        bundle["dsseEnvelope"]["payloadType"] = type;
        bundle["dsseEnvelope"]["signatures"][0]["sig"] =
            render_base64(key.sign(as_bytes(encoding)));
        return render_json(bundle);
    }

    std::string changed(const std::function<void(Json&)>& change) const {
        Json bundle = parse_json(sign_model(statement, key).value()).value();
        change(bundle);
        return render_json(bundle);
    }

    Error refused(const std::string& bundle) const {
        const auto verified = VerifiedModelStatement::verify(bundle, trusted);
        EXPECT_FALSE(verified) << bundle;
        return verified ? Error(ErrorCode::Internal, "was taken") : verified.error();
    }

    const crypto::SigningKey key = key_of(7);
    const crypto::SigningKey other = key_of(8);
    const std::vector<crypto::PublicKey> trusted = {other.public_key(), key.public_key()};
    ModelStatement statement;
};

TEST_F(ModelSignatureTest, what_is_signed_verifies_and_stays_as_it_is) {
    const auto bundle = sign_model(statement, key);
    ASSERT_TRUE(bundle) << bundle.error().describe();
    EXPECT_GOLDEN("model.sig", *bundle);
    const auto verified = VerifiedModelStatement::verify(*bundle, trusted);
    ASSERT_TRUE(verified) << verified.error().describe();
    EXPECT_EQ((*verified)->repo, statement.repo);
    EXPECT_EQ((*verified)->revision, statement.revision);
    EXPECT_EQ((*verified)->files, statement.files);
    EXPECT_EQ(verified->signed_by(), key.public_key());
    EXPECT_EQ(model_signature_target(ModelId::parse("acme/small").value(),
                                     Version::parse("1.0.0").value()),
              "models/acme/small/1.0.0.sig");
}

TEST_F(ModelSignatureTest, a_key_is_named_by_the_digest_of_its_pem) {
    // RFC 8032, section 7.1, TEST 2; the digest was taken with Python's hashlib over the PEM that
    // OpenSSL prints.
    const auto known = crypto::SigningKey::from_seed(
        parse_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").value());
    EXPECT_EQ(key_hint(known->public_key()),
              "bf019c455f05e75ce74ca02a55a4b88bab561f85a76555d8281a79f7c2985233");
}

TEST_F(ModelSignatureTest, only_a_trusted_key_counts) {
    const auto bundle = sign_model(statement, key).value();
    EXPECT_EQ(VerifiedModelStatement::verify(bundle, {}).error().code(), ErrorCode::Refused);
    EXPECT_EQ(VerifiedModelStatement::verify(bundle, {other.public_key()}).error().code(),
              ErrorCode::Refused);
    // The hint of another trusted key does not make it theirs.
    const auto error = refused(changed([&](Json& json) {
        json["verificationMaterial"]["publicKey"]["hint"] = key_hint(other.public_key());
    }));
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    // Nor does a key in the bundle.
    for (const auto* certificate : {"certificate", "x509CertificateChain"}) {
        EXPECT_THAT(refused(changed([&](Json& json) {
                        json["verificationMaterial"][certificate] = {{"rawBytes", "AAAA"}};
                    })).message(),
                    HasSubstr("catalog"));
    }
}

TEST_F(ModelSignatureTest, the_type_is_part_of_what_is_signed) {
    const std::string payload = statement.render().value();
    EXPECT_THAT(refused(sign(payload, "text/plain")).message(), HasSubstr("payloadType"));
    // The signature of another type under the right name; and one over the bare payload.
    Json bundle = parse_json(sign(payload, "text/plain")).value();
    bundle["dsseEnvelope"]["payloadType"] = "application/vnd.in-toto+json";
    EXPECT_THAT(refused(render_json(bundle)).message(), HasSubstr("signatures[0]"));
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = render_base64(key.sign(as_bytes(payload)));
    EXPECT_THAT(refused(render_json(bundle)).message(), HasSubstr("signatures[0]"));
}

TEST_F(ModelSignatureTest, an_envelope_is_exactly_as_it_must_be) {
    const std::vector<std::function<void(Json&)>> changes = {
        [](Json& json) { json["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.2+json"; },
        [](Json& json) { json.erase("mediaType"); },
        [](Json& json) { json.erase("verificationMaterial"); },
        [](Json& json) { json["verificationMaterial"]["publicKey"] = "hint"; },
        [](Json& json) { json["verificationMaterial"]["publicKey"].erase("hint"); },
        [](Json& json) { json.erase("dsseEnvelope"); },
        [](Json& json) { json["dsseEnvelope"]["payload"] = "!"; },
        [](Json& json) { json["dsseEnvelope"]["payload"] = ""; },
        [](Json& json) { json["dsseEnvelope"]["signatures"] = Json::array(); },
        [](Json& json) {
            json["dsseEnvelope"]["signatures"].push_back(json["dsseEnvelope"]["signatures"][0]);
        },
        [](Json& json) { json["dsseEnvelope"]["signatures"][0]["sig"] = ""; },
        [](Json& json) {
            json["dsseEnvelope"]["signatures"][0]["sig"] = render_base64(Bytes(5000, std::byte{}));
        },
        [](Json& json) { json = Json::array(); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        EXPECT_EQ(refused(changed(changes[i])).code(), ErrorCode::Corrupt) << i;
    }
    EXPECT_EQ(refused("").code(), ErrorCode::Corrupt);
    EXPECT_EQ(refused(std::string(kModelSignatureLimitBytes + 1, ' ')).code(), ErrorCode::TooLarge);
    // Every bit of payload and signature counts.
    const std::string bundle = sign_model(statement, key).value();
    const std::size_t payload = bundle.find("\"payload\":\"") + 11;
    for (std::size_t at = payload; at < payload + 400; ++at) {
        std::string flipped = bundle;
        flipped[at] = flipped[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(VerifiedModelStatement::verify(flipped, trusted)) << at;
    }
}

TEST_F(ModelSignatureTest, a_statement_is_exactly_as_it_must_be) {
    using Change = std::function<void(Json&)>;
    const auto resource = [](const char* member, Json value) -> Change {
        return [=](Json& json) { json["predicate"]["resources"][0][member] = value; };
    };
    const auto subject = [](const std::string& name) -> Change {
        return [=](Json& json) { json["subject"][0]["name"] = name; };
    };
    const std::string commit(40, 'a');
    const std::vector<std::pair<Change, std::string>> cases = {
        {[](Json& json) { json["_type"] = "https://in-toto.io/Statement/v0.1"; }, "_type"},
        {[](Json& json) { json["predicateType"] = "https://model_signing/Digests/v0.1"; },
         "predicateType"},
        {[](Json& json) { json["subject"] = Json::array(); }, "subject"},
        {[](Json& json) { json["subject"].push_back(json["subject"][0]); }, "subject"},
        {[](Json& json) { json["subject"][0]["digest"]["sha256"] = std::string(64, '0'); },
         "subject[0].digest"},
        {[](Json& json) {
             json["subject"][0]["digest"] = {{"sha512", "00"}};
         },
         "subject[0].digest"},
        {subject("hf:acme/small@main"), "branch or tag"},
        {subject("hf:acme/small@v1.0"), "branch or tag"},
        {subject("hf:acme/small@" + std::string(40, 'A')), "branch or tag"},
        {subject("hf:acme/small@" + commit.substr(1)), "branch or tag"},
        {subject("hf:acme/small"), "subject[0].name"},
        {subject("acme/small@" + commit), "subject[0].name"},
        {subject("hf:small@" + commit), "subject[0].name"},
        {subject("hf:../small@" + commit), "subject[0].name"},
        {subject("hf:a/b/c@" + commit), "subject[0].name"},
        {[](Json& json) { json["predicate"]["serialization"]["method"] = "shards"; }, "method"},
        {[](Json& json) { json["predicate"]["serialization"]["hash_type"] = "blake2"; },
         "hash_type"},
        {[](Json& json) { json["predicate"]["serialization"]["allow_symlinks"] = true; },
         "allow_symlinks"},
        {[](Json& json) { json["predicate"]["serialization"]["allow_symlinks"] = "false"; },
         "allow_symlinks"},
        {[](Json& json) { json["predicate"].erase("serialization"); }, "serialization"},
        {[](Json& json) { json["predicate"]["resources"] = Json::array(); }, "resources"},
        {[](Json& json) { json["predicate"].erase("resources"); }, "resources"},
        {resource("algorithm", "sha512"), "algorithm"},
        {resource("digest", std::string(64, 'A')), "digest"},
        {resource("digest", std::string(63, 'a')), "digest"},
        {resource("digest", std::string(64, '0')), "subject[0].digest"},
        {resource("name", "../model.gguf"), "resources"},
        {resource("name", "/model.gguf"), "resources"},
        {resource("name", "a\\b"), "resources"},
        {resource("name", ".git/config"), "resources"},
        {resource("name", "model.gguf"), "twice"},
        {resource("name", "MODEL.gguf"), "resources"},
        {resource("name", "tokenizer"), "resources"},
        {[](Json& json) { json["predicate"]["resources"][0] = "README.md"; }, "resources[0]"}};
    for (const auto& [change, words] : cases) {
        const auto error = refused(signed_payload(change));
        EXPECT_EQ(error.code(), ErrorCode::Corrupt) << words;
        EXPECT_THAT(error.describe(), HasSubstr(words));
    }
    EXPECT_EQ(refused(sign("{\"_type\":1,\"_type\":2}")).code(), ErrorCode::Corrupt);
    // What others add is ignored.
    EXPECT_TRUE(VerifiedModelStatement::verify(
        signed_payload([](Json& json) {
            json["predicate"]["card"] = "more";
            json["predicate"]["serialization"]["ignore_paths"] = {"model.gguf"};
        }),
        trusted));
}

TEST_F(ModelSignatureTest, as_many_files_as_the_limit_and_no_more) {
    statement.files.clear();
    for (std::size_t i = 0; i < kSignedFileLimit; ++i) {
        statement.files.emplace(std::to_string(i), digest_of("x"));
    }
    EXPECT_TRUE(VerifiedModelStatement::verify(sign_model(statement, key).value(), trusted));
    const std::string one_more = signed_payload([](Json& json) {
        json["predicate"]["resources"].push_back(
            {{"name", "more"}, {"algorithm", "sha256"}, {"digest", std::string(64, '0')}});
    });
    EXPECT_EQ(refused(one_more).code(), ErrorCode::TooLarge);
    statement.files.emplace("more", digest_of("x"));
    EXPECT_EQ(sign_model(statement, key).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(ModelSignatureTest, nothing_malformed_is_signed) {
    const auto wrong = [&](const std::function<void(ModelStatement&)>& change) {
        ModelStatement other_statement = statement;
        change(other_statement);
        EXPECT_EQ(sign_model(other_statement, key).error().code(), ErrorCode::InvalidArgument);
    };
    wrong([](ModelStatement& one) { one.files.clear(); });
    wrong([](ModelStatement& one) { one.files.emplace("../x", digest_of("x")); });
    wrong([](ModelStatement& one) { one.files.emplace("readme.md", digest_of("x")); });
    wrong([](ModelStatement& one) { one.revision = "main"; });
    wrong([](ModelStatement& one) { one.repo = "small"; });
    wrong([](ModelStatement& one) { one.repo = "acme/small@x"; });
}

TEST_F(ModelSignatureTest, is_held_against_a_folder) {
    const auto temp =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-sig-").value();
    const auto put = [&](const char* name, std::string_view text) {
        const auto path = temp.path() / name;
        ASSERT_TRUE(create_folders(path.parent_path()));
        ASSERT_TRUE(write_file_atomically(path, as_bytes(text)));
    };
    put("model.gguf", "weights");
    put("tokenizer/vocab.json", "{}");
    put("README.md", "# Small\n");
    put("not-listed.bin", "anything");
    EXPECT_TRUE(statement.check_files(temp.path()));
    put("model.gguf", "weightz");
    EXPECT_THAT(statement.check_files(temp.path()).error().message(), HasSubstr("model.gguf has"));
    put("model.gguf", "weights");
    std::filesystem::remove(temp.path() / "README.md");
    EXPECT_EQ(statement.check_files(temp.path()).error().code(), ErrorCode::Corrupt);
    std::filesystem::create_symlink(temp.path() / "elsewhere", temp.path() / "README.md");
    put("elsewhere", "# Small\n");
    EXPECT_EQ(statement.check_files(temp.path()).error().code(), ErrorCode::Corrupt);
    std::filesystem::remove(temp.path() / "README.md");
    put("README.md", "# Small\n");
    // A folder on the way that is a link is no way either.
    std::filesystem::rename(temp.path() / "tokenizer", temp.path() / "real");
    std::filesystem::create_directory_symlink("real", temp.path() / "tokenizer");
    EXPECT_EQ(statement.check_files(temp.path()).error().code(), ErrorCode::Corrupt);
}

TEST_F(ModelSignatureTest, is_held_against_a_manifest) {
    const auto manifest = ModelManifest::parse(render_json(sample_model())).value();
    statement.repo = manifest.source.repo;
    statement.revision = manifest.source.revision;
    for (const auto& variant : manifest.variants) {
        for (const auto& file : variant.files) {
            statement.files.insert_or_assign(file.path, file.sha256);
        }
    }
    EXPECT_TRUE(statement.check(manifest));
    const std::string first = manifest.variants[0].files[0].path;
    ModelStatement changed_file = statement;
    changed_file.files.insert_or_assign(first, digest_of("something else"));
    EXPECT_THAT(changed_file.check(manifest).error().message(), HasSubstr(first));
    ModelStatement lacking = statement;
    lacking.files.erase(first);
    EXPECT_THAT(lacking.check(manifest).error().message(), HasSubstr("not signed at all"));
    ModelStatement elsewhere = statement;
    elsewhere.revision = std::string(40, 'b');
    EXPECT_EQ(elsewhere.check(manifest).error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::manifest
