/**
 * Open tasks as an iCalendar file (RFC 5545). A task with a day becomes a VEVENT, because that is
 * what every calendar program shows; one without becomes a VTODO, with its date words in the
 * description. Times are floating (section 3.3.5, form 1): noon is noon wherever the person is.
 */
import { addDays, type Day } from './day';
import type { Priority, Task } from './task';

/** Section 3.1: lines are at most 75 octets, without the line break. */
const kMaxOctets = 75;
/** Section 3.8.1.9: 1 to 4 is high, 5 is normal, 6 to 9 is low. */
const kPriority: Readonly<Record<Priority, number>> = { high: 1, normal: 5, low: 9 };

/** Section 3.3.11. Control characters other than the line break have no place in a text. */
export const escapeText = (text: string): string =>
    text
        .replace(/\r\n?/g, '\n')
        .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
        .replace(/[\\;,]/g, '\\$&')
        .replace(/\n/g, '\\n');

/** Section 3.1: folds by octets of UTF-8, never inside a character. */
export function foldLine(line: string): string {
    const encoder = new TextEncoder();
    let folded = '';
    let octets = 0;
    for (const character of line) {
        const size = encoder.encode(character).length;
        if (octets + size > kMaxOctets) {
            folded += '\r\n ';
            octets = 1;
        }
        folded += character;
        octets += size;
    }
    return folded;
}

const compact = (day: Day): string => day.replace(/-/g, '');
const utc = (moment: Date): string => `${moment.toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`;

function taskLines(task: Task, now: Date): string[] {
    const words = task.dateWords === null ? '' : `Date as written: ${task.dateWords}`;
    const time = task.date === null && task.time !== null ? `Time: ${task.time}` : '';
    const description = [task.note === task.title ? '' : task.note, words, time].filter((part) => part !== '').join('\n');
    const kind = task.date === null ? 'VTODO' : 'VEVENT';
    const when: string[] = [];
    if (task.date !== null && task.time !== null) {
        const start = `${compact(task.date)}T${task.time.replace(':', '')}00`;
        when.push(`DTSTART:${start}`, 'DURATION:PT1H');
    } else if (task.date !== null) {
        when.push(
            `DTSTART;VALUE=DATE:${compact(task.date)}`,
            `DTEND;VALUE=DATE:${compact(addDays(task.date, 1))}`,
            'TRANSP:TRANSPARENT',
        );
    }
    return [
        `BEGIN:${kind}`,
        `UID:${task.id}@quick-add.locara`,
        `DTSTAMP:${utc(now)}`,
        `CREATED:${utc(new Date(task.created))}`,
        `LAST-MODIFIED:${utc(new Date(task.changed))}`,
        ...when,
        `SUMMARY:${escapeText(task.title)}`,
        ...(description === '' ? [] : [`DESCRIPTION:${escapeText(description)}`]),
        `PRIORITY:${kPriority[task.priority]}`,
        ...(task.tags.length === 0 ? [] : [`CATEGORIES:${task.tags.map(escapeText).join(',')}`]),
        ...(kind === 'VTODO' ? ['STATUS:NEEDS-ACTION'] : []),
        `END:${kind}`,
    ];
}

/** The open, read tasks as one calendar. Lines end with CRLF. */
export function renderCalendar(tasks: readonly Task[], now: Date): string {
    const lines = [
        'BEGIN:VCALENDAR',
        'VERSION:2.0',
        'PRODID:-//Locara//Quick Add 1.0//EN',
        'CALSCALE:GREGORIAN',
        ...tasks.filter((task) => !task.done && task.state === 'ready').flatMap((task) => taskLines(task, now)),
        'END:VCALENDAR',
    ];
    return lines.map((line) => `${foldLine(line)}\r\n`).join('');
}
