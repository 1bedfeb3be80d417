// npm's client sends a file by Git LFS in parts.
import { uploadFiles } from "@huggingface/hub";
import { randomFillSync } from "node:crypto";

const content = new Uint8Array(40 * 1024 * 1024);
for (let at = 0; at < content.length; at += 65536) {
  randomFillSync(content, at, 65536);
}
await uploadFiles({
  repo: { type: "model", name: "ana/parts-js" },
  credentials: { accessToken: process.env.ANA },
  hubUrl: process.env.HUB_URL,
  files: [{ path: "large.bin", content: new Blob([content]) }],
  useXet: false,
});
const back = await fetch(`${process.env.HUB_URL}/ana/parts-js/resolve/main/large.bin`);
const bytes = new Uint8Array(await back.arrayBuffer());
if (Buffer.compare(Buffer.from(bytes), Buffer.from(content)) !== 0) {
  throw new Error("other bytes came back");
}
