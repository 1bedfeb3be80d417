// A page of another origin, in Debian's Chromium, asks for what lies at URL (with TOKEN, if set); prints what the page
// could read of the answer, as JSON.
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const server = createServer((_, response) => response.end("a page of somebody else"));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const found = await page.evaluate(async ({ url, token }) => {
        const headers = { Range: "bytes=1000-1999", ...(token && { Authorization: `Bearer ${token}` }) };
        const answer = await fetch(url, { headers });
        const bytes = new Uint8Array(await answer.arrayBuffer());
        const seen = ["etag", "x-repo-commit", "content-range"].filter((name) => answer.headers.has(name));
        return { status: answer.status, hex: [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(""), seen };
    }, { url: process.env.URL, token: process.env.TOKEN });
    console.log(JSON.stringify(found));
} finally {
    await browser.close();
    server.close();
}
