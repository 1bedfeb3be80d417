/**
 * The start of an app: the launch code of the printed address is exchanged, once, for a session.
 * The session is kept in this tab's sessionStorage, which the app's frame cannot read (it has
 * another origin), so that a reload of the page works.
 */
export type Mark = 'enforced' | 'measured' | 'declared';

export interface Fact {
    readonly subject: string;
    readonly text: string;
    readonly mark: Mark;
}

export interface LaunchedApp {
    readonly id: string;
    readonly name: string;
    readonly version: string;
    readonly publisher: string;
    readonly description: string;
    readonly kind: string;
}

export interface Launch {
    readonly token: string;
    readonly origin: string;
    readonly app: LaunchedApp;
    readonly facts: readonly Fact[];
    /** False when the app's manifest does not ask to save files. */
    readonly save: boolean;
}

/** Why there is no session, in the words of the page that is shown. */
export interface Refusal {
    readonly title: string;
    readonly text: string;
    readonly note: string;
    /** Whether starting the app again helps. */
    readonly again: boolean;
}

const kLabel = /^[a-z0-9]+(?:-[a-z0-9]+)*--[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** The app's DNS label in the path `/app/<label>`; null when the path is no app's. */
export function labelOf(path: string): string | null {
    const match = /^\/app\/([^/]+)\/?$/.exec(path);
    const label = match?.[1] ?? '';
    return label.length <= 63 && kLabel.test(label) ? label : null;
}

/** `locara--quick-add` -> `locara/quick-add` */
export const refOf = (label: string): string => label.replace('--', '/');

/** The only origin that the session of this label may name. */
export function originOf(label: string, page: { protocol: string; port: string }): string {
    return `${page.protocol}//${label}.localhost${page.port === '' ? '' : `:${page.port}`}`;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

const textOf = (value: unknown, fallback = ''): string => (typeof value === 'string' ? value : fallback);

/** Reads the answer of the exchange; null when a part that matters is missing or names another origin. */
export function parseLaunch(body: unknown, origin: string): Launch | null {
    if (!isRecord(body) || !isRecord(body.app) || body.origin !== origin) return null;
    if (typeof body.token !== 'string' || body.token.length < 16 || body.token.length > 512) return null;
    const app = body.app;
    if (typeof app.id !== 'string' || typeof app.name !== 'string' || app.name === '') return null;
    const facts = (Array.isArray(body.facts) ? body.facts : []).flatMap((fact): Fact[] => {
        if (!isRecord(fact) || typeof fact.text !== 'string') return [];
        const mark = fact.mark;
        if (mark !== 'enforced' && mark !== 'measured' && mark !== 'declared') return [];
        return [{ subject: textOf(fact.subject), text: fact.text, mark }];
    });
    return {
        token: body.token,
        origin,
        app: {
            id: app.id,
            name: app.name,
            version: textOf(app.version),
            publisher: textOf(app.publisher, app.id.split('/')[0] ?? ''),
            description: textOf(app.description),
            kind: textOf(app.kind),
        },
        facts,
        save: body.save !== false,
    };
}

/** Asks the broker to exchange a launch code. Never throws. */
export async function exchange(label: string, code: string, origin: string): Promise<Launch | Refusal> {
    let response: Response;
    try {
        response = await fetch('/locara/v1/launch', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ app: label, code }),
            cache: 'no-store',
        });
    } catch {
        return kGone;
    }
    let body: unknown = null;
    try {
        body = await response.json();
    } catch {
        // Judged by its status below.
    }
    if (response.ok) {
        return (
            parseLaunch(body, origin) ?? {
                title: 'This app could not be opened',
                text: 'Locara answered in a way this page does not understand.',
                note: 'The page may be older than the program. Reload it without the cache.',
                again: true,
            }
        );
    }
    const problem = isRecord(body) ? body : {};
    const note = [textOf(problem.detail, textOf(problem.title)), textOf(problem.hint)].filter((s) => s !== '').join(' ');
    if (response.status === 401 || response.status === 403) {
        return {
            title: 'This link was already used',
            text: 'Each printed address opens an app once, for ten minutes, so that nobody else on this computer can use it.',
            note,
            again: true,
        };
    }
    if (response.status === 404) {
        return { title: 'This app is not running', text: `Locara does not run ${refOf(label)} at the moment.`, note, again: true };
    }
    return {
        title: 'This app could not be opened',
        text: `Locara refused with status ${response.status}.`,
        note,
        again: true,
    };
}

/** Longest wait for a word about the session: a machine that is short of memory is no reason to lose the page. */
const kPatienceMs = 10_000;

/**
 * Asks the broker whether a session stands: null if it does, else why it has ended, kGone when nobody answers.
 * Never throws.
 */
export async function askSession(label: string, token: string): Promise<Refusal | null> {
    let response: Response;
    let body: unknown = null;
    try {
        response = await fetch('/locara/v1/session', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ app: label, token }),
            cache: 'no-store',
            signal: AbortSignal.timeout(kPatienceMs),
        });
        body = await response.json();
    } catch {
        return kGone;
    }
    if (response.ok) return null;
    if (response.status !== 403) return kNoSession;
    return {
        title: 'This app was stopped',
        text: isRecord(body) ? textOf(body.detail) : '',
        note: 'Nothing was deleted: what you kept in the app stays in this browser.',
        again: false,
    };
}

/** Ends the session at the broker, so that a copy of its token is worth nothing. Never throws; a broker that is gone has ended it. */
export async function close(label: string, token: string): Promise<void> {
    try {
        await fetch('/locara/v1/close', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ app: label, token }),
            cache: 'no-store',
            keepalive: true, // the tab may be closed right after
        });
    } catch {
        return;
    }
}

export const kGone: Refusal = {
    title: 'Locara does not answer',
    text: 'The program behind this page is not running any more.',
    note: '',
    again: true,
};

export const kNoSession: Refusal = {
    title: 'This session has ended',
    text: 'The address alone does not open the app: it needs a fresh code.',
    note: 'What you kept in the app stays in this browser.',
    again: true,
};

export const kNoApp: Refusal = {
    title: 'No app at this address',
    text: 'Addresses of apps look like /app/publisher--name.',
    note: 'locara list shows what is installed.',
    again: false,
};

const keyOf = (label: string): string => `locara.session.${label}`;

// A browser that keeps no data for any page throws here; then only a reload needs a new start.

export function storeSession(storage: () => Storage, label: string, launch: Launch): void {
    try {
        storage().setItem(keyOf(label), JSON.stringify(launch));
    } catch {
        return;
    }
}

export function dropSession(storage: () => Storage, label: string): void {
    try {
        storage().removeItem(keyOf(label));
    } catch {
        return;
    }
}

export function loadSession(storage: () => Storage, label: string, origin: string): Launch | null {
    try {
        return parseLaunch(JSON.parse(storage().getItem(keyOf(label)) ?? 'null'), origin);
    } catch {
        return null;
    }
}
