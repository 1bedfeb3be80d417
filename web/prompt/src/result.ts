/** The answer as labelled rows, built from the output schema; also while only a part of it is there. */
export type View =
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'none' }
    /** Not written yet. */
    | { readonly kind: 'waiting' }
    | { readonly kind: 'chips'; readonly items: readonly string[] }
    | { readonly kind: 'list'; readonly items: readonly View[] }
    | { readonly kind: 'rows'; readonly rows: readonly { readonly label: string; readonly view: View }[] };

type Schema = Record<string, unknown>;

const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

/** `due_date` and `dueDate` -> "Due date". */
export function labelFor(key: string, schema: unknown): string {
    if (isRecord(schema) && typeof schema.title === 'string' && schema.title !== '') return schema.title;
    const words = key
        .replace(/([a-z\d])([A-Z])/g, '$1 $2')
        .replace(/[_-]+/g, ' ')
        .trim()
        .toLowerCase();
    return words === '' ? key : words.charAt(0).toUpperCase() + words.slice(1);
}

export function view(value: unknown, schema: unknown): View {
    if (value === undefined) return { kind: 'waiting' };
    if (value === null || value === '') return { kind: 'none' };
    if (typeof value === 'string') return { kind: 'text', text: value };
    if (typeof value === 'boolean') return { kind: 'text', text: value ? 'Yes' : 'No' };
    if (typeof value === 'number') return { kind: 'text', text: String(value) };
    const shape: Schema = isRecord(schema) ? schema : {};
    if (Array.isArray(value)) {
        if (value.length === 0) return { kind: 'none' };
        const short = value.every((item) => typeof item === 'number' || (typeof item === 'string' && item.length <= 40));
        if (short) return { kind: 'chips', items: value.map(String) };
        return { kind: 'list', items: value.map((item) => view(item, shape.items)) };
    }
    const properties = isRecord(shape.properties) ? shape.properties : {};
    const given = value as Record<string, unknown>;
    const keys = [...Object.keys(properties), ...Object.keys(given).filter((key) => !(key in properties))];
    return {
        kind: 'rows',
        rows: keys.map((key) => ({ label: labelFor(key, properties[key]), view: view(given[key], properties[key]) })),
    };
}

/** The same as plain text, for copying. */
export function plainText(of: View, indent = ''): string {
    switch (of.kind) {
        case 'text':
            return of.text;
        case 'none':
        case 'waiting':
            return 'none';
        case 'chips':
            return of.items.join(', ');
        case 'list':
            return of.items.map((item) => `\n${indent}- ${plainText(item, `${indent}  `)}`).join('');
        case 'rows':
            return of.rows
                .map((row, at) => `${at === 0 && indent === '' ? '' : `\n${indent}`}${row.label}: ${plainText(row.view, `${indent}  `)}`)
                .join('');
    }
}

export function render(of: View): HTMLElement {
    const make = (tag: string, className: string, text = ''): HTMLElement => {
        const element = document.createElement(tag);
        element.className = className;
        element.textContent = text;
        return element;
    };
    switch (of.kind) {
        case 'text':
            return make('span', 'text', of.text);
        case 'none':
            return make('span', 'none', 'none');
        case 'waiting':
            return make('span', 'waiting', '…');
        case 'chips': {
            const list = make('ul', 'chips');
            list.append(...of.items.map((item) => make('li', '', item)));
            return list;
        }
        case 'list': {
            const list = make('ul', 'list');
            for (const item of of.items) {
                const entry = make('li', '');
                entry.append(render(item));
                list.append(entry);
            }
            return list;
        }
        case 'rows': {
            const list = make('dl', 'rows');
            for (const row of of.rows) {
                const value = make('dd', '');
                value.append(render(row.view));
                list.append(make('dt', '', row.label), value);
            }
            return list;
        }
    }
}
