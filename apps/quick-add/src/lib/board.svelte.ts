/** The state of the page: tasks, notes being read, the filter, undo, and what is told to the person. */
import { connect, LocaraError, type Session } from '@locara/sdk';
import { ask } from './ask';
import { dayOf } from './day';
import { parseJson, renderJson } from './exchange';
import { countTags, describe, groupTasks, hasTag } from './groups';
import { renderCalendar } from './ics';
import { kKey, merge, Store, type Aside, type Contents } from './store';
import { newTask, splitNotes, withAnswer, type Answer, type Task } from './task';

export interface Problem {
    readonly message: string;
    readonly hint: string;
}

/** How far the reading of a waiting note has come. */
export interface Reading {
    readonly phase: 'queued' | 'reading' | 'failed';
    readonly part: Partial<Answer>;
    readonly problem: Problem | null;
}

const kQueued: Reading = { phase: 'queued', part: {}, problem: null };

/** Enough of a first answer may take a while: the engine loads the model when it is first asked. */
const kSlowMs = 2500;

const problemOf = (error: unknown): Problem =>
    error instanceof LocaraError
        ? { message: error.message, hint: error.hint }
        : { message: 'Something went wrong in this page.', hint: error instanceof Error ? error.message : '' };

/** One tab at a time reads notes, so that two tabs do not read the same one. */
async function alone(work: () => Promise<void>): Promise<void> {
    let started = false;
    try {
        await navigator.locks.request('quick-add.reader', () => {
            started = true;
            return work();
        });
    } catch (error) {
        // A browser may refuse locks to a frame of another site. Reading a note twice does no harm.
        if (started) throw error;
        await work();
    }
}

export class Board {
    private contents = $state.raw<Contents>({ tasks: [], removed: {} });
    readonly readings = $state<Record<string, Reading>>({});
    today = $state(dayOf(new Date()));
    filter = $state<string | null>(null);
    /** Read out to people who do not see the page. */
    spoken = $state('');
    /** The last thing that can be undone. */
    undoLabel = $state<string | null>(null);
    /** Set when no note can be read at all. */
    problem = $state<Problem | null>(null);
    /** Set when tasks could not be written. */
    storageProblem = $state<Problem | null>(null);
    aside = $state.raw<Aside[]>([]);
    notice = $state<string | null>(null);
    slow = $state(false);
    singleKeys = $state(true);
    hintSeen = $state(false);

    readonly tasks = $derived(this.contents.tasks);
    readonly waiting = $derived(
        this.tasks.filter((task) => task.state === 'waiting').sort((a, b) => a.created.localeCompare(b.created)),
    );
    readonly ready = $derived(this.tasks.filter((task) => task.state === 'ready'));
    readonly tags = $derived(countTags(this.ready));
    readonly shown = $derived(
        this.filter === null ? this.ready : this.ready.filter((task) => hasTag(task, this.filter ?? '')),
    );
    readonly groups = $derived(groupTasks(this.shown, this.today));
    readonly openCount = $derived(this.ready.filter((task) => !task.done).length);

    private session: Session | null = null;
    private pumping = false;
    private readonly undos: Task[] = [];
    private readonly aborts = new Map<string, AbortController>();

    constructor(private readonly store: Store) {
        this.contents = store.load();
        this.aside = store.aside();
        const settings = store.settings();
        this.singleKeys = settings.singleKeys;
        this.hintSeen = settings.hintSeen;
        if (!store.works) {
            this.storageProblem = {
                message: 'This browser does not let the page keep anything.',
                hint: 'Tasks stay only until the page is closed. Save them as a file before that.',
            };
        }
    }

    /** Follows the shell, other tabs and midnight, for as long as the page is open. */
    start(): void {
        window.addEventListener('storage', (event) => {
            if (event.key === kKey || event.key === null) this.contents = merge(this.store.load(), this.contents);
        });
        const look = (): void => {
            this.today = dayOf(new Date());
        };
        window.setInterval(look, 30_000);
        document.addEventListener('visibilitychange', look);
        void this.connect();
    }

    async connect(): Promise<void> {
        this.problem = null;
        try {
            this.session ??= await connect();
            await this.pump();
        } catch (error) {
            this.problem = problemOf(error);
        }
    }

    // ---- notes

    /** Takes typed or pasted text; returns the part that was not taken, because a line is too long. */
    add(text: string): string {
        const { notes, tooLong } = splitNotes(text);
        const now = Date.now();
        // Later lines get later instants, so that their order holds.
        const made = notes.map((note, at) => newTask(note, new Date(now + at), crypto.randomUUID()));
        this.put(made);
        if (made.length > 0) this.undoLabel = null;
        if (made.length > 1) this.spoken = `${made.length} notes are being read.`;
        this.notice =
            tooLong.length === 0
                ? null
                : `${tooLong.length === 1 ? 'One line is' : `${tooLong.length} lines are`} over 300 characters and was left in the box. Shorten it, or split it into several lines.`;
        void this.pump();
        return tooLong.join('\n');
    }

    readingOf(task: Task): Reading {
        return this.readings[task.id] ?? kQueued;
    }

    /** Reads one failed note again, or all that wait. */
    retry(task?: Task): void {
        for (const waiting of task === undefined ? this.waiting : [task]) delete this.readings[waiting.id];
        if (this.session === null) void this.connect();
        else {
            this.problem = null;
            void this.pump();
        }
    }

    /** Makes a task of a note without the model. */
    keepAsIs(task: Task): void {
        this.aborts.get(task.id)?.abort();
        delete this.readings[task.id];
        const kept = withAnswer(task, {}, new Date());
        this.put([kept]);
        this.spoken = `Added: ${kept.title}`;
    }

    private async pump(): Promise<void> {
        if (this.pumping || this.session === null) return;
        this.pumping = true;
        try {
            await alone(async () => {
                for (;;) {
                    this.contents = merge(this.store.load(), this.contents);
                    const next = this.waiting.find((task) => this.readings[task.id]?.phase !== 'failed');
                    if (next === undefined || this.session === null || this.problem !== null) return;
                    await this.read(this.session, next);
                }
            });
        } finally {
            this.pumping = false;
        }
    }

    private async read(session: Session, task: Task): Promise<void> {
        const abort = new AbortController();
        this.aborts.set(task.id, abort);
        this.readings[task.id] = { phase: 'reading', part: {}, problem: null };
        const slow = setTimeout(() => (this.slow = true), kSlowMs);
        try {
            const answer = await ask(session, task.note, abort.signal, (part) => {
                clearTimeout(slow);
                this.slow = false;
                this.readings[task.id] = { phase: 'reading', part, problem: null };
            });
            if (abort.signal.aborted) return;
            delete this.readings[task.id];
            const made = withAnswer(task, answer, new Date());
            this.put([made]);
            this.spoken = `Added: ${describe(made, this.today)}`;
        } catch (error) {
            if (abort.signal.aborted) return;
            const problem = problemOf(error);
            if (error instanceof LocaraError && (error.code === 'session_ended' || error.code === 'unreachable')) {
                // The other notes would fail in the same way: say it once.
                this.problem = {
                    message: 'Notes cannot be read at the moment.',
                    hint: 'The line above the app says how to go on. Everything else here works.',
                };
                delete this.readings[task.id];
            } else {
                this.readings[task.id] = { phase: 'failed', part: {}, problem };
            }
            this.spoken = `Could not read a note. ${problem.message} ${problem.hint}`;
        } finally {
            clearTimeout(slow);
            this.slow = false;
            this.aborts.delete(task.id);
        }
    }

    // ---- tasks

    update(task: Task, change: Partial<Task>): void {
        this.put([{ ...task, ...change, changed: new Date().toISOString() }]);
    }

    toggle(task: Task): void {
        if (!task.done) this.remember(task, `Done: ${task.title}`);
        this.update(task, { done: !task.done });
        this.spoken = `${task.done ? 'Open again' : 'Done'}: ${task.title}`;
    }

    remove(task: Task): void {
        this.aborts.get(task.id)?.abort();
        delete this.readings[task.id];
        this.remember(task, `Deleted: ${task.title}`);
        const now = new Date().toISOString();
        this.write({
            tasks: this.tasks.filter((other) => other.id !== task.id),
            removed: { ...this.contents.removed, [task.id]: now },
        });
        this.spoken = `Deleted ${task.title}. Undo with Control Z.`;
    }

    /** Brings back the task that was last deleted or marked done; returns it. */
    undo(): Task | null {
        const task = this.undos.pop();
        this.undoLabel = null;
        if (task === undefined) return null;
        this.update(task, {});
        this.spoken = `Back: ${task.title}`;
        if (task.state === 'waiting') void this.pump();
        return task;
    }

    private remember(task: Task, label: string): void {
        this.undos.push(task);
        this.undoLabel = label;
    }

    private put(tasks: readonly Task[]): void {
        const changed = new Map(tasks.map((task) => [task.id, task]));
        this.write({
            tasks: [...this.tasks.filter((task) => !changed.has(task.id)), ...tasks],
            removed: this.contents.removed,
        });
    }

    private write(contents: Contents): void {
        const stored = this.store.save(contents);
        this.contents = stored ?? contents;
        this.aside = this.store.aside();
        if (stored === null && this.store.works) {
            this.storageProblem = {
                message: 'The last change could not be kept: the browser’s storage for this app is full.',
                hint: 'Save all tasks as a file, then delete some that are done.',
            };
        } else if (stored !== null) {
            this.storageProblem = null;
        }
    }

    // ---- files

    private async save(name: string, mime: string, text: string): Promise<boolean> {
        if (this.session === null) {
            this.notice = 'Files can be saved as soon as Locara has opened this app.';
            return false;
        }
        this.notice = null;
        try {
            const outcome = await this.session.save(name, mime, text);
            this.spoken = outcome === 'saved' ? `Saved ${name}.` : `${name} was not saved.`;
            return outcome === 'saved';
        } catch (error) {
            const { message, hint } = problemOf(error);
            this.notice = `${message} ${hint}`;
            return false;
        }
    }

    saveCalendar(): void {
        const open = this.shown.filter((task) => !task.done);
        if (open.length === 0) {
            this.notice = 'There is no open task to put into a calendar.';
            return;
        }
        void this.save(`quick-add-${this.today}.ics`, 'text/calendar', renderCalendar(open, new Date()));
    }

    saveAll(): void {
        void this.save(`quick-add-${this.today}.json`, 'application/json', renderJson(this.tasks, new Date()));
    }

    async saveAside(aside: Aside): Promise<void> {
        await this.save(`quick-add-unreadable-${this.today}.txt`, 'text/plain', aside.text);
    }

    forgetAside(aside: Aside): void {
        this.store.forget(aside.key);
        this.aside = this.store.aside();
    }

    importText(name: string, text: string): void {
        const found = parseJson(text);
        if (!found.ok) {
            this.notice = `${name} was not imported. ${found.why}`;
            this.spoken = this.notice;
            return;
        }
        const before = new Set(this.tasks.map((task) => task.id));
        const added = found.tasks.filter((task) => !before.has(task.id));
        // A task that was deleted here and is in the file was wanted back.
        const removed = Object.fromEntries(
            Object.entries(this.contents.removed).filter(([id]) => !added.some((task) => task.id === id)),
        );
        const now = new Date().toISOString();
        const deleted = new Set(Object.keys(this.contents.removed));
        const back = added.map((task) => (deleted.has(task.id) ? { ...task, changed: now } : task));
        this.write(merge({ tasks: this.tasks, removed }, { tasks: [...found.tasks.filter((t) => before.has(t.id)), ...back], removed }));
        const parts = [`${added.length} added`, `${found.tasks.length - added.length} already here`];
        if (found.unreadable > 0) parts.push(`${found.unreadable} not readable`);
        this.notice = `Imported ${name}: ${parts.join(', ')}.`;
        this.spoken = this.notice;
        void this.pump();
    }

    // ---- preferences

    setSingleKeys(on: boolean): void {
        this.singleKeys = on;
        this.store.saveSettings({ singleKeys: on, hintSeen: this.hintSeen });
    }

    dismissHint(): void {
        this.hintSeen = true;
        this.store.saveSettings({ singleKeys: this.singleKeys, hintSeen: true });
    }
}
