/** What a task is, and how one is made of the model's answer. */
import { resolveDate } from './dates';
import { dayOf, isDay, type Day } from './day';

export type Priority = 'low' | 'normal' | 'high';

export const kPriorities: readonly Priority[] = ['high', 'normal', 'low'];

export interface Task {
    readonly id: string;
    /** The note as it was typed; never changed. */
    readonly note: string;
    /**
     * waiting: the note has not been read by the model yet. ready: an ordinary task.
     */
    readonly state: 'waiting' | 'ready';
    readonly title: string;
    /** The date as words ("next Friday"), and the day on which those words were written. */
    readonly dateWords: string | null;
    readonly wordsOn: Day;
    /** What the words mean, or what was picked. */
    readonly date: Day | null;
    /** 24-hour "HH:MM". */
    readonly time: string | null;
    readonly priority: Priority;
    readonly tags: readonly string[];
    readonly done: boolean;
    /** Instants as ISO 8601 in UTC. `changed` decides which of two copies of a task is newer. */
    readonly created: string;
    readonly changed: string;
}

/** Longest note: the model has learned from notes of one line. */
export const kMaxNote = 300;
export const kMaxTitle = 300;
export const kMaxTags = 12;
export const kMaxTag = 40;

/** What the model is asked to write. */
export interface Answer {
    readonly title: string;
    readonly date: string | null;
    readonly time: string | null;
    readonly priority: Priority;
    readonly tags: readonly string[];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

const line = (value: unknown, max: number): string =>
    typeof value === 'string' ? [...value.replace(/\s+/g, ' ').trim()].slice(0, max).join('') : '';

export const isTime = (value: unknown): value is string =>
    typeof value === 'string' && /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(value);

const isPriority = (value: unknown): value is Priority => kPriorities.includes(value as Priority);

/** Tags without `#`, without repetition (whatever the case), in the order given. */
export function cleanTags(tags: unknown): string[] {
    if (!Array.isArray(tags)) return [];
    const seen = new Map<string, string>();
    for (const tag of tags) {
        const clean = line(tag, kMaxTag).replace(/^#+/, '').replace(/[,\s]+/g, '-');
        if (clean !== '' && !seen.has(clean.toLowerCase())) seen.set(clean.toLowerCase(), clean);
    }
    return [...seen.values()].slice(0, kMaxTags);
}

/** As much of an answer as is there: also used while it is being written. */
export function readAnswer(value: unknown): Partial<Answer> {
    if (!isRecord(value)) return {};
    const title = line(value.title, kMaxTitle);
    return {
        ...(title === '' ? {} : { title }),
        ...('date' in value ? { date: line(value.date, 80) || null } : {}),
        ...('time' in value ? { time: isTime(value.time) ? value.time : null } : {}),
        ...(isPriority(value.priority) ? { priority: value.priority } : {}),
        ...(Array.isArray(value.tags) ? { tags: cleanTags(value.tags) } : {}),
    };
}

export function newTask(note: string, now: Date, id: string): Task {
    const moment = now.toISOString();
    return {
        id,
        note,
        state: 'waiting',
        title: note,
        dateWords: null,
        wordsOn: dayOf(now),
        date: null,
        time: null,
        priority: 'normal',
        tags: [],
        done: false,
        created: moment,
        changed: moment,
    };
}

/** The task that the model made of a waiting one. */
export function withAnswer(task: Task, answer: Partial<Answer>, now: Date): Task {
    const words = answer.date ?? null;
    return {
        ...task,
        state: 'ready',
        title: answer.title ?? task.note,
        dateWords: words,
        date: words === null ? null : resolveDate(words, task.wordsOn),
        time: answer.time ?? null,
        priority: answer.priority ?? 'normal',
        tags: answer.tags ?? [],
        changed: now.toISOString(),
    };
}

const isMoment = (value: unknown): value is string =>
    typeof value === 'string' && value.length <= 30 && !Number.isNaN(Date.parse(value));

/** Reads a stored or imported task; null when it is none. Parts that are only damaged get a plain value. */
export function readTask(value: unknown): Task | null {
    if (!isRecord(value)) return null;
    const { id, note, created } = value;
    if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id) || typeof note !== 'string' || !isMoment(created)) return null;
    const title = line(value.title, kMaxTitle) || line(note, kMaxTitle);
    if (title === '') return null;
    return {
        id,
        note: note.slice(0, 4 * kMaxNote),
        state: value.state === 'waiting' ? 'waiting' : 'ready',
        title,
        dateWords: line(value.dateWords, 80) || null,
        wordsOn: isDay(value.wordsOn) ? value.wordsOn : dayOf(new Date(created)),
        date: isDay(value.date) ? value.date : null,
        time: isTime(value.time) ? value.time : null,
        priority: isPriority(value.priority) ? value.priority : 'normal',
        tags: cleanTags(value.tags),
        done: value.done === true,
        created: new Date(created).toISOString(),
        changed: isMoment(value.changed) ? new Date(value.changed).toISOString() : new Date(created).toISOString(),
    };
}

/** The notes of a text that was typed or pasted: one for each line that says something. */
export function splitNotes(text: string): { notes: string[]; tooLong: string[] } {
    const lines = text
        .split(/\r\n|[\n\r\u2028\u2029]/)
        // Lists are often pasted with their bullets or boxes.
        .map((note) => note.replace(/^\s*(?:(?:[-*•–]|\d{1,2}[.)])\s+(?:\[[ xX]?\]\s*)?|\[[ xX]?\]\s*)/, '').replace(/\s+/g, ' ').trim())
        .filter((note) => note !== '');
    return {
        notes: lines.filter((note) => note.length <= kMaxNote),
        tooLong: lines.filter((note) => note.length > kMaxNote),
    };
}
