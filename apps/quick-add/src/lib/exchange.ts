/** Tasks as a JSON file, out and back in. */
import { readTask, type Task } from './task';

export const kFileSchema = 'locara.quick-add/1';
/** Largest file and most tasks that are read. */
export const kMaxFileBytes = 8_000_000;
export const kMaxFileTasks = 20_000;

export const renderJson = (tasks: readonly Task[], now: Date): string =>
    `${JSON.stringify({ schema: kFileSchema, exported: now.toISOString(), tasks }, null, 2)}\n`;

export type Imported =
    | { readonly ok: true; readonly tasks: readonly Task[]; readonly unreadable: number }
    | { readonly ok: false; readonly why: string };

export function parseJson(text: string): Imported {
    let body: unknown;
    try {
        body = JSON.parse(text);
    } catch {
        return { ok: false, why: 'It is not a JSON file. Choose one that Quick Add exported.' };
    }
    const file = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    if (file.schema !== kFileSchema || !Array.isArray(file.tasks)) {
        const found = typeof file.schema === 'string' ? `its schema is “${file.schema.slice(0, 60)}”` : 'it names no schema';
        return { ok: false, why: `It is not a file of Quick Add: ${found}, expected “${kFileSchema}”.` };
    }
    if (file.tasks.length > kMaxFileTasks) {
        return { ok: false, why: `It has ${file.tasks.length} tasks; at most ${kMaxFileTasks} can be read at once.` };
    }
    const tasks = (file.tasks as unknown[]).map(readTask);
    const readable = tasks.filter((task) => task !== null);
    return { ok: true, tasks: readable, unreadable: tasks.length - readable.length };
}
