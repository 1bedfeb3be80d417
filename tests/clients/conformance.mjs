// One operation of the unmodified npm client @huggingface/hub: `conformance.mjs OPERATION REPO`. HUB_URL, TOKEN, XET and
// PRIVATE (both "1" or "0") are in the environment; content comes and goes by standard input and output.
import { readFileSync, writeSync } from "node:fs";
import { commit, createBranch, createRepo, deleteFile, deleteRepo, downloadFile, listFiles, modelInfo, uploadFile, uploadFiles } from "@huggingface/hub";

const { HUB_URL: hubUrl, TOKEN: accessToken, XET, PRIVATE } = process.env;
const [operation, name] = process.argv.slice(2);
const xet = XET === "1";
const at = { hubUrl, accessToken, repo: { type: "model", name } };
const bytes = async (blob) => new Uint8Array(await blob.arrayBuffer());

const operations = {
    async info() {
        const info = await modelInfo({ hubUrl, accessToken, name, additionalFields: ["sha"] });
        const files = [];
        for await (const file of listFiles({ ...at, recursive: true })) {
            files.push(`${file.path} ${file.size}`);
        }
        return Buffer.from(JSON.stringify({ sha: info.sha, files: files.sort() }));
    },
    async download() {
        return bytes(await downloadFile({ ...at, path: "w.gguf", xet }));
    },
    async range() {
        return bytes((await downloadFile({ ...at, path: "w.gguf", xet })).slice(1000, 200_000));
    },
    async upload() {
        await uploadFile({ ...at, useXet: xet, file: { path: "w.gguf", content: new Blob([readFileSync(0)]) } });
        return bytes(await downloadFile({ ...at, path: "w.gguf", xet }));
    },
    async manage() {
        const repo = { type: "model", name: `${name}-made` };
        const own = { hubUrl, accessToken, repo };
        await createRepo({ ...own, private: PRIVATE === "1", files: [{ path: "a.txt", content: new Blob(["a"]) }] });
        await createBranch({ ...own, branch: "next" });
        const operations = [{ operation: "addOrUpdate", path: "b.txt", content: new Blob(["b"]) }];
        await commit({ ...own, branch: "next", title: "b", operations });
        await deleteFile({ ...own, branch: "next", path: "a.txt" });
        const text = await (await downloadFile({ ...own, path: "b.txt", revision: "next" })).text();
        const gone = await downloadFile({ ...own, path: "a.txt", revision: "next" });
        await deleteRepo(own);
        return Buffer.from(`${text} ${gone}`);
    },
    async bucket() {
        const repo = { type: "bucket", name: `${name}-bucket` };
        const own = { hubUrl, accessToken, repo };
        await createRepo({ ...own, private: PRIVATE === "1" });
        const content = new Blob([readFileSync(0)]);
        await uploadFiles({ ...own, files: [{ path: "a/w.gguf", content }, { path: "b.txt", content: new Blob(["b"]) }] });
        await deleteFile({ ...own, path: "b.txt" });
        const found = [];
        for await (const entry of listFiles({ ...own, recursive: true })) found.push(entry.path);
        const got = await bytes(await downloadFile({ ...own, path: "a/w.gguf" }));
        await deleteRepo(own);
        return found.join() === "a/w.gguf" ? got : Buffer.from(`found ${found}`);
    },
    async propose() {
        const operations = [{ operation: "addOrUpdate", path: "pr.txt", content: new Blob(["proposed"]) }];
        const made = await commit({ ...at, isPullRequest: true, title: "a proposal", operations });
        const number = made.pullRequestUrl.split("/").pop();
        return bytes(await downloadFile({ ...at, path: "pr.txt", revision: `refs/pr/${number}` }));
    },
};

writeSync(1, await operations[operation]());
