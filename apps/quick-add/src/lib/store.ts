/**
 * Tasks in the app's own localStorage, as one versioned document. What cannot be read is never
 * overwritten: it is moved to a key of its own, from which the app offers it as a file.
 * Two tabs may write: each write first merges what the other has written since.
 */
import { readTask, type Task } from './task';

export const kKey = 'quick-add.tasks';
export const kAsidePrefix = 'quick-add.kept-aside.';
const kSettingsKey = 'quick-add.settings';
const kVersion = 1;
/** How long a deletion is remembered, so that another tab's copy does not bring the task back. */
const kRemovedMs = 30 * 86_400_000;

export interface Contents {
    readonly tasks: readonly Task[];
    /** Id -> instant at which it was deleted. */
    readonly removed: Readonly<Record<string, string>>;
}

export const kEmpty: Contents = { tasks: [], removed: {} };

export interface Settings {
    /** Whether single keys such as `e` or `x` work in the list. */
    readonly singleKeys: boolean;
    readonly hintSeen: boolean;
}

const kDefaults: Settings = { singleKeys: true, hintSeen: false };

const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a stored text holds, and the parts of it that are not to be understood. */
export function parseContents(text: string): { contents: Contents; unreadable: string | null } {
    let body: unknown;
    try {
        body = JSON.parse(text);
    } catch {
        return { contents: kEmpty, unreadable: text };
    }
    if (!isRecord(body) || body.version !== kVersion || !Array.isArray(body.tasks)) {
        return { contents: kEmpty, unreadable: text };
    }
    const tasks = new Map<string, Task>();
    const bad: unknown[] = [];
    for (const value of body.tasks as unknown[]) {
        const task = readTask(value);
        if (task === null) bad.push(value);
        else tasks.set(task.id, newer(tasks.get(task.id), task));
    }
    const removed: Record<string, string> = {};
    for (const [id, moment] of Object.entries(isRecord(body.removed) ? body.removed : {})) {
        if (typeof moment === 'string' && !Number.isNaN(Date.parse(moment))) removed[id] = moment;
    }
    return {
        contents: { tasks: [...tasks.values()], removed },
        unreadable: bad.length === 0 ? null : JSON.stringify(bad, null, 1),
    };
}

export const renderContents = (contents: Contents): string =>
    JSON.stringify({ version: kVersion, tasks: contents.tasks, removed: contents.removed });

const newer = (a: Task | undefined, b: Task): Task => (a !== undefined && a.changed >= b.changed ? a : b);

/** Both contents as one: of each task the newer copy, unless it was deleted after its last change. */
export function merge(a: Contents, b: Contents, now = new Date()): Contents {
    const limit = new Date(now.getTime() - kRemovedMs).toISOString();
    const removed: Record<string, string> = {};
    for (const [id, moment] of [...Object.entries(a.removed), ...Object.entries(b.removed)]) {
        if (moment >= limit && moment > (removed[id] ?? '')) removed[id] = moment;
    }
    const tasks = new Map<string, Task>();
    for (const task of [...a.tasks, ...b.tasks]) tasks.set(task.id, newer(tasks.get(task.id), task));
    return {
        tasks: [...tasks.values()].filter((task) => (removed[task.id] ?? '') < task.changed),
        removed,
    };
}

export interface Aside {
    readonly key: string;
    readonly text: string;
}

export class Store {
    private constructor(private readonly storage: Storage | null) {}

    /** Never fails: where the browser refuses storage, nothing is kept and `works` is false. */
    static open(find: () => Storage): Store {
        try {
            const storage = find();
            storage.setItem('quick-add.probe', '1');
            storage.removeItem('quick-add.probe');
            return new Store(storage);
        } catch {
            return new Store(null);
        }
    }

    get works(): boolean {
        return this.storage !== null;
    }

    load(): Contents {
        return this.read().contents;
    }

    /**
     * Writes, merged with what is stored. Returns what is stored then, or null when it could not be
     * written: then what was stored before is still there.
     */
    save(contents: Contents): Contents | null {
        if (this.storage === null) return null;
        const { contents: stored, safe } = this.read();
        if (!safe) return null;
        const merged = merge(stored, contents);
        return this.write(kKey, renderContents(merged)) ? merged : null;
    }

    /** What was moved out of the way because it could not be read. */
    aside(): Aside[] {
        const found: Aside[] = [];
        for (let at = 0; at < (this.storage?.length ?? 0); at++) {
            const key = this.storage?.key(at) ?? null;
            if (key?.startsWith(kAsidePrefix) === true) found.push({ key, text: this.storage?.getItem(key) ?? '' });
        }
        return found.sort((a, b) => a.key.localeCompare(b.key));
    }

    forget(key: string): void {
        if (key.startsWith(kAsidePrefix)) this.storage?.removeItem(key);
    }

    settings(): Settings {
        try {
            const stored: unknown = JSON.parse(this.storage?.getItem(kSettingsKey) ?? '{}');
            if (!isRecord(stored)) return kDefaults;
            return { singleKeys: stored.singleKeys !== false, hintSeen: stored.hintSeen === true };
        } catch {
            return kDefaults;
        }
    }

    saveSettings(settings: Settings): void {
        this.write(kSettingsKey, JSON.stringify(settings));
    }

    /** What is stored, and whether what could not be read of it is safe elsewhere by now. */
    private read(): { contents: Contents; safe: boolean } {
        const text = this.storage?.getItem(kKey) ?? null;
        if (text === null) return { contents: kEmpty, safe: true };
        const { contents, unreadable } = parseContents(text);
        if (unreadable === null) return { contents, safe: true };
        // First the copy, then the readable rest: a full storage leaves everything where it was.
        const stamp = new Date().toISOString().replace(/[^0-9TZ]/g, '');
        const safe =
            this.aside().some((kept) => kept.text === unreadable) ||
            this.write(`${kAsidePrefix}${stamp}`, unreadable);
        if (safe) this.write(kKey, renderContents(contents));
        return { contents, safe };
    }

    private write(key: string, text: string): boolean {
        try {
            this.storage?.setItem(key, text);
            return this.storage !== null;
        } catch {
            return false;
        }
    }
}
