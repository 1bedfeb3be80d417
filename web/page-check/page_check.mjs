// Looks at an app's page in Chromium, as people get it, and writes down what it found. Started by
// src/runtime/page_check.cpp in a sandbox whose network is a loopback of its own: what the page
// reaches for cannot get out, whatever it tries, and stands in the record.
//
//   node page_check.mjs '{"app","label","port","bundle","share","server","chromium","out"}'
//
// Two passes, each a fresh start of the app. The first is what people see: axe-core, errors, paint,
// and what the page's policy refused. The second one switches the policy off, so that what it would
// have refused shows in the browser's own log of its network, workers and look-ups of names
// included. Buttons are pressed and a field is filled in both; links are not followed.
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { kFeaturesOff } from './features_off.mjs';

const kJob = JSON.parse(process.argv[2]);
const kSocket = '/tmp/broker.sock';
const kNetLog = '/tmp/netlog.json';
const kMaxItems = 100; // of each list of the report
const kMaxKept = 1_000; // different things, before more are dropped
const kMaxText = 300;
const kMaxNetLogBytes = 64 << 20;
const kMaxButtons = 20;
const kOurHosts = ['locara', kJob.label].map((name) => `${name}.localhost:${kJob.port}`);
// What the sandbox of the app's frame refuses stands on the console and in no other place.
const kPopupRefused = /^Blocked opening '([^']*)' in a new window/;
const kLeavingRefused = /^Unsafe attempt to initiate navigation/;
const kApi = /^http:\/\/[^/]+\/(v1|locara)\//;
const kQuietMs = 1_000; // without a request, before the page counts as settled
const kSettleMs = 8_000; // at most

const short = (text) => {
    const clean = String(text).replace(/[\p{Cc}\p{Cf}]/gu, ' ');
    return clean.length > kMaxText ? `${clean.slice(0, kMaxText - 1)}…` : clean;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What was tried, by kind and place, each once with a count. */
class Record {
    #seen = new Map();

    add(kind, what) {
        const key = `${kind} ${short(what)}`;
        const item = this.#seen.get(key) ?? { kind, what: short(what), count: 0 };
        if (this.#seen.size >= kMaxKept && item.count === 0) return;
        item.count++;
        this.#seen.set(key, item);
    }

    list() {
        return [...this.#seen.values()].slice(0, kMaxItems);
    }

    /** How many different things there were; no more than `kMaxKept`. */
    get total() {
        return this.#seen.size;
    }
}

/** Of an address that leads elsewhere: itself; of the broker's, and of what has no host, null. */
function outside(address) {
    try {
        const url = new URL(address);
        if (['data:', 'blob:', 'about:', 'chrome:', 'devtools:', 'chrome-error:'].includes(url.protocol)) return null;
        return kOurHosts.includes(url.host) ? null : url.href;
    } catch {
        return null;
    }
}

function askServer(path) {
    return new Promise((resolve, reject) => {
        const asked = httpRequest({ socketPath: kSocket, path, method: 'POST', headers: { 'Content-Type': 'application/json' } }, (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (data) => (text += data));
            answer.on('end', () => (answer.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
        });
        asked.on('error', reject);
        asked.end('{}');
    });
}

/** The address that opens the app once. The server may still be starting. */
async function launchUrl(server) {
    for (let tries = 0; ; tries++) {
        try {
            return (await askServer(`/locara/v1/apps/${kJob.app}/launch`)).url;
        } catch (error) {
            if (tries > 400 || server.exitCode !== null) throw error;
            await pause(25);
        }
    }
}

/** Runs in every frame before its own scripts: tells what no log of the browser has. */
function watchFromInside() {
    const tell = globalThis.locaraTell;
    document.addEventListener('securitypolicyviolation', (event) => tell('policy', event.blockedURI), true);
    const Peer = globalThis.RTCPeerConnection;
    if (Peer === undefined) return;
    globalThis.RTCPeerConnection = class extends Peer {
        constructor(configuration, ...more) {
            super(configuration, ...more);
            const servers = (configuration?.iceServers ?? []).flatMap((server) => server.urls);
            tell('webrtc', servers.length > 0 ? servers.join(' ') : 'other devices');
        }
    };
}

/** Workers have the policy of their own answer, which `bypassCSP` does not touch. Nothing here resolves our names but the browser. */
async function serveWithoutPolicy(route) {
    const url = new URL(route.request().url());
    const host = url.host;
    url.hostname = '127.0.0.1';
    const answer = await route.fetch({ url: url.href, headers: { ...route.request().headers(), host }, maxRedirects: 0 });
    const headers = answer.headers();
    delete headers['content-security-policy'];
    await route.fulfill({ response: answer, headers });
}

async function findFrame(page) {
    const element = await page.waitForSelector('iframe', { timeout: 15_000 });
    const frame = await element.contentFrame();
    await frame.waitForLoadState('load', { timeout: 15_000 });
    return frame;
}

/** What a person might do who knows nothing of the app: fill in a field, press what can be pressed. */
async function poke(frame) {
    const field = frame.locator('input[type=text]:visible, input:not([type]):visible, input[type=search]:visible, textarea:visible').first();
    if ((await field.count()) > 0) {
        await field.fill('lunch with Ana next Friday at noon', { timeout: 1_000 }).catch(() => undefined);
        await field.press('Enter', { timeout: 1_000 }).catch(() => undefined);
    }
    const buttons = await frame.locator('button:visible, [role=button]:visible, summary:visible').all();
    for (const button of buttons.slice(0, kMaxButtons)) {
        await button.click({ timeout: 500 }).catch(() => undefined);
    }
    await pause(kQuietMs);
}

/**
 * The value of an expression in a frame, in a world of our own: what the page did to its globals
 * (a `globalThis.axe` that finds nothing, for one) does not count there.
 */
async function evaluateApart(frame, expression) {
    const session = await frame.page().context().newCDPSession(frame);
    const { frameTree } = await session.send('Page.getFrameTree');
    const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
        expression,
        contextId: executionContextId,
        awaitPromise: true,
        returnByValue: true,
    });
    await session.detach();
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
}

async function axe(frame, source, into) {
    const found = await evaluateApart(frame, `${source}\naxe.run(document, { resultTypes: ['violations'] })`);
    for (const { id, impact, help, nodes } of found.violations) {
        const known = into.get(id) ?? { rule: id, impact: impact ?? 'minor', help: short(help), places: [] };
        const places = nodes.map((node) => short(node.target.join(' ')));
        known.places = [...new Set([...known.places, ...places])].slice(0, 10);
        into.set(id, known);
    }
    return found.testEngine.version;
}

/** When the first thing was painted, in milliseconds from the start of the document; null if it was not within two seconds. */
const firstPaint = () =>
    new Promise((resolve) => {
        setTimeout(resolve, 2_000, null);
        new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime ?? null)).observe({ type: 'paint', buffered: true });
    });

/** Whether anything can be seen: letters, or something that is drawn or used. */
const hasContent = () => {
    if ((document.body?.innerText ?? '').trim() !== '') return true;
    return [...document.querySelectorAll('img, svg, canvas, video, input, button, textarea, select')].some((element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.height > 0;
    });
};

async function run() {
    const server = spawn(kJob.server, [kJob.bundle, kJob.share, '/tmp'], { stdio: ['ignore', 'ignore', 'inherit'] });
    server.on('error', (error) => console.error(String(error)));
    const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const reach = new Record();
    const asked = new Record();
    const errors = new Record();
    const violations = new Map();
    const report = { blank: true, first_paint_ms: null };
    let quietSince = Date.now();

    const browser = await chromium.launch({
        executablePath: kJob.chromium,
        headless: true,
        args: [
            // Its own sandbox needs namespaces, which this one does not let it make.
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--disable-background-networking',
            '--disable-component-update',
            '--no-first-run',
            `--log-net-log=${kNetLog}`,
            // What the browser itself asks its maker about pages and their forms is no doing of theirs.
            `--disable-features=${kFeaturesOff.join(',')}`,
        ],
    });
    report.browser = `Chromium ${browser.version()}`;

    const open = async (bypassCSP) => {
        const context = await browser.newContext({ bypassCSP, acceptDownloads: false, viewport: { width: 1280, height: 800 } });
        // The page may call it too, and only blacken itself by that.
        await context.exposeBinding('locaraTell', (_, kind, what) => {
            if (kind === 'webrtc' || outside(what) !== null) reach.add(short(kind), what);
        });
        if (bypassCSP) await context.route((url) => url.hostname === `${kJob.label}.localhost`, serveWithoutPolicy);
        await context.addInitScript(watchFromInside);
        context.on('request', (request) => {
            quietSince = Date.now();
            const elsewhere = outside(request.url());
            const path = new URL(request.url()).pathname;
            if (elsewhere !== null) reach.add(request.isNavigationRequest() ? 'navigation' : 'request', elsewhere);
            else if (kApi.test(request.url()) && request.url().includes(`//${kJob.label}.`)) asked.add(request.method(), path);
        });
        const page = await context.newPage();
        context.on('console', (message) => {
            if (message.type() !== 'error') return;
            const popup = kPopupRefused.exec(message.text());
            if (popup !== null) reach.add('window', popup[1]);
            if (kLeavingRefused.test(message.text())) reach.add('navigation', 'another page in place of the whole window');
            // There is no model to ask: the broker says so, which is no fault of the page.
            if (!bypassCSP && !kApi.test(message.location().url)) errors.add('error', message.text());
        });
        if (!bypassCSP) context.on('weberror', (error) => errors.add('error', error.error()));
        await page.goto(await launchUrl(server), { timeout: 20_000 });
        const frame = await findFrame(page);
        const until = Date.now() + kSettleMs;
        while (Date.now() < until && Date.now() - quietSince < kQuietMs) await pause(50);
        return { context, page, frame };
    };

    const seen = await open(false);
    report.title = short(await seen.frame.title());
    report.blank = !(await evaluateApart(seen.frame, `(${hasContent})()`));
    const paint = await evaluateApart(seen.frame, `(${firstPaint})()`);
    report.first_paint_ms = paint === null ? null : Math.round(paint);
    report.axe = await axe(seen.frame, axeSource, violations);
    await poke(seen.frame);
    // A page that left, or put itself in another place, was recorded as that.
    const still = seen.page.frames().find((frame) => frame.url().includes(`//${kJob.label}.`));
    if (still !== undefined) await axe(still, axeSource, violations);
    await seen.context.close();

    const open2 = await open(true);
    await poke(open2.frame);
    await open2.context.close();
    await browser.close();
    server.kill();

    readNetLog(reach);
    report.violations = [...violations.values()].slice(0, kMaxItems);
    report.reach = reach.list();
    report.reach_total = reach.total;
    report.asked = asked.list();
    report.errors = errors.list().map((error) => error.what);
    return report;
}

/** What the browser did for the page: by whom it was begun stands in its log. */
function readNetLog(reach) {
    if (statSync(kNetLog).size > kMaxNetLogBytes) throw new Error('the page asks for so much that the log of it is too long');
    const log = JSON.parse(readFileSync(kNetLog, 'utf8'));
    const names = new Map(Object.entries(log.constants.logEventTypes).map(([name, number]) => [number, name]));
    for (const { type, params } of log.events) {
        if (params === undefined) continue;
        if (names.get(type) === 'URL_REQUEST_START_JOB' && /localhost/.test(params.initiator ?? '')) {
            const elsewhere = outside(params.url ?? '');
            if (elsewhere !== null) reach.add('request', elsewhere);
        }
        // Names are looked up ahead of requests, and by WebRTC, which asks nobody else.
        if (names.get(type) === 'HOST_RESOLVER_MANAGER_REQUEST' && /localhost/.test(params.network_anonymization_key ?? '')) {
            const host = String(params.host ?? '');
            const name = /^[a-z]+:\/\//.test(host) ? new URL(host).hostname : host.replace(/:\d+$/, '');
            if (name !== '' && !/(^|\.)localhost$/.test(name)) reach.add('name', name);
        }
    }
}

try {
    writeFileSync(kJob.out, JSON.stringify(await run()));
    process.exit(0);
} catch (error) {
    console.error(short(error.message)); // the last line is what people are told
    process.exit(1);
}
