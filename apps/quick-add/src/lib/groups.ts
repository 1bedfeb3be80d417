/** How the list is ordered: by when, then by priority. */
import { addDays, showDay, type Day } from './day';
import { kPriorities, type Task } from './task';

export interface Group {
    readonly name: string;
    /** Set when each task of the group must say its own day. */
    readonly showDay: boolean;
    readonly tasks: readonly Task[];
}

const compare = (a: Task, b: Task): number =>
    (a.date ?? '').localeCompare(b.date ?? '') ||
    (a.time ?? '99').localeCompare(b.time ?? '99') ||
    kPriorities.indexOf(a.priority) - kPriorities.indexOf(b.priority) ||
    a.created.localeCompare(b.created) ||
    a.id.localeCompare(b.id);

/** Open tasks in their groups, without empty groups; done ones last, newest first. */
export function groupTasks(tasks: readonly Task[], today: Day): Group[] {
    const open = tasks.filter((task) => !task.done).sort(compare);
    const tomorrow = addDays(today, 1);
    const week = addDays(today, 6);
    const pick = (name: string, withDay: boolean, test: (date: Day) => boolean): Group => ({
        name,
        showDay: withDay,
        tasks: open.filter((task) => task.date !== null && test(task.date)),
    });
    return [
        pick('Overdue', true, (date) => date < today),
        pick('Today', false, (date) => date === today),
        pick('Tomorrow', false, (date) => date === tomorrow),
        pick('Next 7 days', true, (date) => date > tomorrow && date <= week),
        pick('Later', true, (date) => date > week),
        { name: 'No date', showDay: false, tasks: open.filter((task) => task.date === null) },
        {
            name: 'Done',
            showDay: true,
            tasks: tasks.filter((task) => task.done).sort((a, b) => b.changed.localeCompare(a.changed)),
        },
    ].filter((group) => group.tasks.length > 0);
}

/** All tags with the number of open tasks that have them, most used first. */
export function countTags(tasks: readonly Task[]): { tag: string; count: number }[] {
    const counts = new Map<string, { tag: string; count: number }>();
    for (const task of tasks) {
        for (const tag of task.tags) {
            const entry = counts.get(tag.toLowerCase()) ?? { tag, count: 0 };
            if (!task.done) entry.count++;
            counts.set(tag.toLowerCase(), entry);
        }
    }
    return [...counts.values()].sort((a, b) => b.count - a.count || a.tag.localeCompare(b.tag));
}

export const hasTag = (task: Task, tag: string): boolean =>
    task.tags.some((own) => own.toLowerCase() === tag.toLowerCase());

/** The task in one sentence, as it is read to people who do not see it. */
export function describe(task: Task, today: Day): string {
    return [
        task.title,
        task.date === null ? (task.dateWords ?? '') : showDay(task.date, today),
        task.time === null ? '' : `at ${task.time}`,
        task.priority === 'normal' ? '' : `${task.priority} priority`,
        task.tags.length === 0 ? '' : `tagged ${task.tags.join(', ')}`,
    ]
        .filter((part) => part !== '')
        .join(', ');
}
