import type { PromptField } from '@locara/sdk';

/** More choices than this are shown as a drop-down list. */
const kMaxRadios = 6;

/** One drawn field: its element, what is entered, and how to say that it must be filled. */
export interface Field {
    readonly name: string;
    readonly element: HTMLElement;
    value(): string;
    focus(): void;
    complain(words: string): void;
}

export function drawField(field: PromptField, changed: () => void): Field {
    const id = `field-${field.name}`;
    const choices = field.kind === 'choice' ? (field.choices ?? []) : [];
    const radios = field.kind === 'choice' && choices.length <= kMaxRadios;
    const box = document.createElement(radios ? 'fieldset' : 'div');
    box.className = 'field';
    const label = document.createElement(radios ? 'legend' : 'label');
    label.textContent = field.label;
    if (field.required !== true) {
        const note = document.createElement('span');
        note.className = 'optional';
        note.textContent = ' optional';
        label.append(note);
    }
    const complaint = document.createElement('p');
    complaint.className = 'complaint';
    complaint.id = `${id}-complaint`;

    let inputs: (HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement)[];
    let body: HTMLElement;
    if (radios) {
        body = document.createElement('div');
        body.className = 'radios';
        inputs = choices.map((choice, at) => {
            const input = document.createElement('input');
            input.type = 'radio';
            input.name = id;
            input.value = choice;
            // A required choice starts with its first value, an optional one with none.
            input.defaultChecked = field.required === true && at === 0;
            const option = document.createElement('label');
            option.append(input, ` ${choice}`);
            body.append(option);
            return input;
        });
    } else {
        const input =
            field.kind === 'line'
                ? document.createElement('input')
                : document.createElement(field.kind === 'text' ? 'textarea' : 'select');
        if (input instanceof HTMLSelectElement) {
            if (field.required !== true) input.append(new Option('', ''));
            input.append(...choices.map((choice) => new Option(choice, choice)));
        } else {
            input.placeholder = field.placeholder ?? '';
            input.autocomplete = 'off';
            if (input instanceof HTMLTextAreaElement) input.rows = 5;
        }
        input.id = id;
        input.className = 'input';
        input.required = field.required === true;
        input.setAttribute('aria-describedby', complaint.id);
        (label as HTMLLabelElement).htmlFor = id;
        inputs = [input];
        body = input;
    }
    box.append(label, body, complaint);
    const complain = (words: string): void => {
        complaint.textContent = words;
        for (const input of inputs) input.setAttribute('aria-invalid', String(words !== ''));
    };
    box.addEventListener('input', () => {
        complain('');
        changed();
    });
    return {
        name: field.name,
        element: box,
        value: () =>
            radios
                ? (inputs.find((input) => (input as HTMLInputElement).checked)?.value ?? '')
                : (inputs[0]?.value.trim() ?? ''),
        focus: () => inputs[0]?.focus(),
        complain,
    };
}
