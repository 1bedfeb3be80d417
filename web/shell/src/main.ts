import '@locara/sdk/base.css';
import './shell.css';
import { parseFromApp, type FromShell } from '@locara/sdk';
import { mayRun, safeFileName, sizeText } from './files';
import {
    askSession,
    close,
    dropSession,
    exchange,
    kGone,
    kNoApp,
    kNoSession,
    labelOf,
    loadSession,
    originOf,
    refOf,
    storeSession,
    type Launch,
    type Mark,
    type Refusal,
} from './launch';

function get<T extends HTMLElement = HTMLElement>(id: string): T {
    const element = document.getElementById(id);
    if (element === null) throw new Error(`no element ${id}`);
    return element as T;
}

const tabStorage = (): Storage => window.sessionStorage;
const label = labelOf(location.pathname);
interface Running {
    readonly launch: Launch;
    readonly frame: HTMLIFrameElement;
    greeted: boolean;
    /** How often in a row the broker did not answer. */
    unanswered: number;
}

let running: Running | null = null;

// ---- the page of an app that runs

function makeMark(mark: Mark): HTMLElement {
    const element = document.createElement('span');
    element.className = `mark ${mark}`;
    element.setAttribute('aria-hidden', 'true');
    return element;
}

function showFacts(launch: Launch): void {
    get('app-name').textContent = launch.app.name;
    get('app-by').textContent = `by ${launch.app.publisher}`;
    get('app-description').textContent = launch.app.description;
    get('app-version').textContent = `${launch.app.id} ${launch.app.version}`;
    document.title = `${launch.app.name} – Locara`;
    const list = get('facts');
    list.replaceChildren();
    for (const fact of launch.facts) {
        const subject = document.createElement('dt');
        subject.textContent = fact.subject === '' ? '' : fact.subject[0]?.toUpperCase() + fact.subject.slice(1);
        const text = document.createElement('dd');
        const word = document.createElement('span');
        word.className = 'small';
        word.textContent = ` ${fact.mark}`;
        text.append(makeMark(fact.mark), ` ${fact.text}`, word);
        list.append(subject, text);
    }
    const network = launch.facts.find((fact) => fact.subject === 'network');
    get('network-mark').className = `mark ${network?.mark ?? ''}`;
    get('network-mark').hidden = network === undefined;
    get('network-text').textContent = network === undefined ? 'About' : network.text.replace(/\.$/, '');
    get('details-button').setAttribute(
        'aria-label',
        network === undefined ? 'About this app' : `${network.text} ${network.mark}. About this app`,
    );
    get('details-button').hidden = false;
    get('stop').hidden = false;
}

function start(launch: Launch): void {
    stopFrame();
    get('message').hidden = true;
    get('ended').hidden = true;
    showFacts(launch);
    const frame = document.createElement('iframe');
    // The sandbox stays without allow-downloads, allow-popups and allow-top-navigation: each of
    // them could carry data to another host.
    frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms');
    frame.setAttribute('allow', '');
    frame.referrerPolicy = 'no-referrer';
    frame.title = launch.app.name;
    frame.src = `${launch.origin}/`;
    running = { launch, frame, greeted: false, unanswered: 0 };
    get('main').append(frame);
    document.body.classList.add('running');
    askAgainLater();
}

function stopFrame(): void {
    running?.frame.remove();
    running = null;
    for (const request of saves.splice(0)) request.decided = true;
    showNextSave();
    document.body.classList.remove('running');
}

function send(message: FromShell): void {
    if (running === null) return;
    running.frame.contentWindow?.postMessage(message, running.launch.origin);
}

window.addEventListener('message', (event) => {
    if (running === null) return;
    // Both must hold: the origin alone could be another window of the same app.
    if (event.origin !== running.launch.origin || event.source !== running.frame.contentWindow) return;
    const message = parseFromApp(event.data);
    if (message === null) return;
    const { launch, frame } = running;
    switch (message.type) {
        case 'ready': {
            const { id, name, version } = launch.app;
            send({ locara: 1, type: 'session', token: launch.token, app: { id, name, version } });
            if (!running.greeted && (document.activeElement === document.body || document.activeElement === null)) {
                frame.focus();
            }
            running.greeted = true;
            break;
        }
        case 'save':
            askToSave(message.name, message.bytes);
            break;
        case 'ended':
            void checkSession();
            break;
    }
});

// ---- the session: the page of an app that is stopped goes, whatever its scripts do

/** What is called back is out of sight within five seconds; the broker needs one or two of them. */
const kAskMs = 2000;
/** One word that got lost is no end. */
const kMaxUnanswered = 2;
let nextAsk: number | undefined;
let asking = false;

function askAgainLater(): void {
    window.clearTimeout(nextAsk);
    nextAsk = window.setTimeout(() => void checkSession(), kAskMs);
}

async function checkSession(): Promise<void> {
    const asked = running;
    if (label === null || asked === null || asking) return;
    asking = true;
    const ended = await askSession(label, asked.launch.token);
    asking = false;
    if (running === null) return;
    askAgainLater();
    if (running !== asked) return; // started anew meanwhile
    asked.unanswered = ended === kGone ? asked.unanswered + 1 : 0;
    if (ended === null) get('ended').hidden = true;
    else if (ended === kNoSession) showEnded(ended);
    else if (ended !== kGone) showMessage(ended);
    else if (asked.unanswered >= kMaxUnanswered) showEnded(ended);
}

// Browsers make the timers of a page that nobody sees wait.
document.addEventListener('visibilitychange', () => void checkSession());

// ---- saving

interface SaveRequest {
    /** As the app called it, for the answer. */
    readonly given: string;
    readonly name: string;
    readonly bytes: ArrayBuffer;
    decided: boolean;
}

/** Requests that wait; more are declined at once, so that an app cannot bury the page in them. */
const kMaxSaves = 8;
/** A key or click meant for the app must not answer a question that has just appeared. */
const kGuardMs = 350;
const saves: SaveRequest[] = [];
let askedAt = 0;

function askToSave(given: string, bytes: ArrayBuffer): void {
    if (running?.launch.save !== true || saves.length >= kMaxSaves) {
        send({ locara: 1, type: 'declined', name: given });
        return;
    }
    saves.push({ given, name: safeFileName(given), bytes, decided: false });
    if (saves.length === 1) showNextSave();
}

function showNextSave(): void {
    const request = saves[0];
    const bar = get('save');
    if (request === undefined) {
        if (!bar.hidden) running?.frame.focus();
        bar.hidden = true;
        return;
    }
    get('save-lead').textContent = `${running?.launch.app.name ?? 'The app'} made a file:`;
    get('save-name').textContent = request.name;
    get('save-size').textContent = sizeText(request.bytes.byteLength);
    get('save-warning').textContent = mayRun(request.name)
        ? 'Files of this kind can run programs. Save it only if you expected it.'
        : '';
    bar.hidden = false;
    askedAt = performance.now();
    get('save-yes').focus();
    say(`Save ${request.name}, ${sizeText(request.bytes.byteLength)}? Press Enter to save, Escape to discard.`);
}

function decide(save: boolean): void {
    const request = saves[0];
    if (request === undefined || request.decided || performance.now() - askedAt < kGuardMs) return;
    request.decided = true;
    saves.shift();
    if (save) {
        // The type is always the neutral one: what an app made is never opened as a page of this origin.
        const address = URL.createObjectURL(new Blob([request.bytes], { type: 'application/octet-stream' }));
        const link = document.createElement('a');
        link.href = address;
        link.download = request.name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 60_000);
    }
    send({ locara: 1, type: save ? 'saved' : 'declined', name: request.given });
    say(save ? `Saved ${request.name}.` : `Discarded ${request.name}.`);
    showNextSave();
}

get('save-yes').addEventListener('click', () => decide(true));
get('save-no').addEventListener('click', () => decide(false));

// ---- details, stop, messages

function say(text: string): void {
    get('status').textContent = text;
}

function setDetails(open: boolean): void {
    const panel = get('details');
    if (panel.hidden === !open) return;
    panel.hidden = !open;
    get('details-button').setAttribute('aria-expanded', String(open));
    if (open) panel.focus();
    else get('details-button').focus();
}

get('details-button').addEventListener('click', () => setDetails(get('details').hidden));
get('details-close').addEventListener('click', () => setDetails(false));
document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    if (!get('details').hidden) setDetails(false);
    else if (!get('save').hidden) decide(false);
});

function showMessage(refusal: Refusal): void {
    stopFrame();
    get('ended').hidden = true;
    get('details').hidden = true;
    get('details-button').hidden = true;
    get('stop').hidden = true;
    get('message-title').textContent = refusal.title;
    get('message-text').textContent = refusal.text;
    get('message-note').textContent = refusal.note;
    get('message-again').hidden = !refusal.again;
    get('message').hidden = false;
    document.title = `${refusal.title} – Locara`;
    get('message-title').focus();
}

/** The app reaches its models no more. What people typed stays on screen: it can still be read and saved. */
function showEnded(why: Refusal): void {
    get('ended-title').textContent = `${why.title}.`;
    get('ended-text').textContent = 'What is on the page stays. To go on, run this and open the address it prints:';
    get('ended').hidden = false;
}

get('stop').addEventListener('click', () => {
    if (label === null || running === null) return;
    const { token, app } = running.launch;
    dropSession(tabStorage, label);
    void close(label, token);
    showMessage({
        title: `${app.name} is stopped`,
        text: 'The key of this tab is void now. What you kept in the app stays in this browser.',
        note: '',
        again: true,
    });
});

for (const element of document.querySelectorAll('.command')) {
    const command = `locara run ${label === null ? '' : refOf(label)}`;
    const code = element.querySelector('.command-text');
    if (code !== null) code.textContent = command;
    element.querySelector('.copy')?.addEventListener('click', () => {
        navigator.clipboard.writeText(command).then(
            () => say('Copied.'),
            () => say('The browser did not allow copying.'),
        );
    });
}

/** Goes on with the session of this tab, if it stands. */
async function resume(of: string, stored: Launch): Promise<void> {
    const ended = await askSession(of, stored.token);
    if (ended === null) start(stored);
    else showMessage(ended);
}

async function open(): Promise<void> {
    if (label === null) {
        showMessage(kNoApp);
        return;
    }
    const origin = originOf(label, location);
    const code = location.hash.slice(1);
    if (code === '') {
        const stored = loadSession(tabStorage, label, origin);
        if (stored === null) showMessage(kNoSession);
        else await resume(label, stored);
        return;
    }
    // The code leaves the address before anything else, so that it is in no history or bookmark.
    history.replaceState(null, '', location.pathname);
    const answer = await exchange(label, code, origin);
    if ('token' in answer) {
        storeSession(tabStorage, label, answer);
        start(answer);
        return;
    }
    // A link that is opened twice in the same tab still has its session.
    const stored = loadSession(tabStorage, label, origin);
    if (stored !== null && answer !== kGone) await resume(label, stored);
    else showMessage(answer);
}

// The next printed address may be pasted into this tab: then only the fragment changes.
window.addEventListener('hashchange', () => {
    if (location.hash.length > 1) void open();
});
void open();
