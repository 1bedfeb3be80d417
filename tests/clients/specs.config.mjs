// The test files of @huggingface/hub, run as they are. One thing is changed, and only in memory: the hub's address, in the
// package's two files of constants and where a test expects it, becomes HUB_URL; and where the tests take a file of the Hub
// from, to upload it, ELSEWHERE.
import { defineConfig } from "vitest/config";

const { HUB_URL: hubUrl, ELSEWHERE: elsewhere } = process.env;
const address = /https:\/\/(hub-ci\.)?huggingface\.co/g;

function move(code, id) {
    if (/\/src\/(test\/)?consts\.ts$/.test(id)) {
        return code.replaceAll(address, hubUrl);
    }
    if (id.endsWith(".spec.ts")) {
        return code.replaceAll("https://hub-ci.huggingface.co", hubUrl)
            .replaceAll(/https:\/\/huggingface\.co(?=\/(gpt2|spaces)\/)/g, elsewhere);
    }
    return null;
}

export default defineConfig({
    root: new URL("../../node_modules/@huggingface/hub", import.meta.url).pathname,
    plugins: [{ name: "hub-address", enforce: "pre", transform: move }],
    test: { include: ["src/**/*.spec.ts"], exclude: [], reporters: ["json"], testTimeout: 60_000, maxWorkers: 2, cache: false },
});
