// Opens addresses one after the other in one Chromium and prints the title of each page as JSON; what is downloaded has none.
//   node tests/browser/open_all.mjs URL...
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
    executablePath: process.env.LOCARA_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
});
const titles = [];
for (const url of process.argv.slice(2)) {
    const page = await browser.newPage();
    try {
        await page.goto(url, { waitUntil: 'networkidle', timeout: 20_000 });
        titles.push(await page.title());
    } catch (error) {
        if (!String(error).includes('Download is starting')) throw error;
        titles.push('');
    }
    await page.close();
}
await browser.close();
console.log(JSON.stringify(titles));
