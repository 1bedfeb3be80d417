import '@locara/sdk/base.css';
import './prompt.css';
import { connect, LocaraError, readPartialJson, type AppDescription, type Prompt, type Session } from '@locara/sdk';
import { drawField, type Field } from './form';
import { plainText, render, view } from './result';
import { fill, missing } from './template';

function get<T extends HTMLElement = HTMLElement>(id: string): T {
    const element = document.getElementById(id);
    if (element === null) throw new Error(`no element ${id}`);
    return element as T;
}

const say = (text: string): void => {
    get('status').textContent = text;
};

function showProblem(error: unknown, retry: (() => void) | null): void {
    const known = error instanceof LocaraError ? error : null;
    get('problem-title').textContent = known?.message ?? 'Something went wrong in this page.';
    get('problem-hint').textContent = known?.hint ?? (error instanceof Error ? error.message : '');
    get('problem').hidden = false;
    const button = get('retry');
    button.hidden = retry === null;
    button.onclick = retry;
}

/** Files are named after the app: `task-form.json`. */
const fileName = (app: AppDescription, ending: string): string => `${app.id.split('/')[1] ?? 'answer'}.${ending}`;

async function copyText(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        // Frames often may not use the clipboard directly; the older way needs only the click.
        const area = document.createElement('textarea');
        area.value = text;
        area.className = 'visually-hidden';
        document.body.append(area);
        const before = document.activeElement;
        area.select();
        const copied = document.execCommand('copy');
        area.remove();
        if (before instanceof HTMLElement) before.focus();
        return copied;
    }
}

class PromptPage {
    private readonly fields: Field[];
    private abort: AbortController | null = null;
    private text = '';

    constructor(
        private readonly session: Session,
        private readonly app: AppDescription,
        private readonly prompt: Prompt,
    ) {
        get('name').textContent = app.name;
        get('description').textContent = app.description;
        document.title = app.name;
        this.fields = prompt.fields.map((field) => drawField(field, () => undefined));
        get('fields').append(...this.fields.map((field) => field.element));
        const form = get<HTMLFormElement>('form');
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            void this.ask();
        });
        form.addEventListener('reset', () => {
            for (const field of this.fields) field.complain('');
            this.fields[0]?.focus();
        });
        form.addEventListener('keydown', (event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
        });
        document.addEventListener('keydown', (event) => {
            if (event.key === 'Escape') this.abort?.abort();
        });
        get('cancel').addEventListener('click', () => this.abort?.abort());
        get('copy').addEventListener('click', () => {
            void copyText(this.readable()).then((copied) =>
                say(copied ? 'Copied.' : 'The browser did not allow copying; use Save instead.'),
            );
        });
        get('save').addEventListener('click', () => void this.save());
        form.hidden = false;
        this.fields[0]?.focus();
    }

    private async ask(): Promise<void> {
        if (this.abort !== null) return;
        const values = new Map(this.fields.map((field) => [field.name, field.value()]));
        const empty = missing(this.prompt, values);
        if (empty.length > 0) {
            for (const field of this.fields) field.complain(empty.includes(field.name) ? 'Please fill this in.' : '');
            this.fields.find((field) => empty.includes(field.name))?.focus();
            return;
        }
        this.abort = new AbortController();
        get('problem').hidden = true;
        this.busy(true);
        this.show('', false);
        say('Asking.');
        const schema = this.prompt.output?.schema;
        try {
            const answer = await this.session.chat({
                role: this.prompt.role,
                messages: [{ role: 'user', content: fill(this.prompt.template, values) }],
                signal: this.abort.signal,
                onText: (text) => this.show(text, false),
                ...(schema === undefined ? {} : { schema }),
            });
            if (schema !== undefined) this.parse(answer.text, answer.finish);
            this.show(answer.text, true);
            say(`Answer: ${this.readable()}`);
        } catch (error) {
            if (error instanceof LocaraError && error.code === 'cancelled') say('Stopped.');
            else showProblem(error, () => void this.ask());
            if (this.text === '') get('answer').hidden = true;
        } finally {
            this.abort = null;
            this.busy(false);
        }
    }

    private parse(text: string, finish: string): unknown {
        try {
            return JSON.parse(text);
        } catch (cause) {
            throw finish === 'length'
                ? new LocaraError('cut_off', 'The answer was cut off before it was complete.', {
                      hint: 'Try with a shorter text.',
                      cause,
                  })
                : new LocaraError('bad_answer', 'The model did not answer in the expected form.', { cause });
        }
    }

    private show(text: string, done: boolean): void {
        this.text = text;
        const schema = this.prompt.output?.schema;
        get('answer').hidden = false;
        get('result').replaceChildren(
            schema === undefined
                ? render({ kind: 'text', text })
                : render(view(readPartialJson(text).value ?? {}, schema)),
        );
        for (const id of ['copy', 'save']) get<HTMLButtonElement>(id).disabled = !done;
    }

    private busy(on: boolean): void {
        get<HTMLButtonElement>('ask').disabled = on;
        get('cancel').hidden = !on;
        get('answer').setAttribute('aria-busy', String(on));
        get('progress').textContent = on ? 'writing…' : '';
    }

    private readable(): string {
        const schema = this.prompt.output?.schema;
        return schema === undefined ? this.text : plainText(view(readPartialJson(this.text).value, schema));
    }

    private async save(): Promise<void> {
        const json = this.prompt.output !== undefined;
        const bytes = json ? `${JSON.stringify(JSON.parse(this.text), null, 2)}\n` : `${this.text}\n`;
        try {
            const outcome = await this.session.save(
                fileName(this.app, json ? 'json' : 'txt'),
                json ? 'application/json' : 'text/plain',
                bytes,
            );
            say(outcome === 'saved' ? 'Saved.' : 'Not saved.');
        } catch (error) {
            showProblem(error, null);
        }
    }
}

async function main(): Promise<void> {
    try {
        const session = await connect();
        const app = await session.describe();
        if (app.prompt === null) throw new LocaraError('bad_answer', `${app.name} has no prompt to fill in.`);
        new PromptPage(session, app, app.prompt);
    } catch (error) {
        get('name').textContent = 'This app could not be opened';
        showProblem(error, null);
    }
}

void main();
