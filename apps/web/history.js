// What was asked since the page was opened. It lives in this page only.
import { text } from './strings.js';
import { verdictOf } from './view.js';

const find = (id) => document.getElementById(id);
const most = 100;

function csvField(value) {
  const words = String(value);
  return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
}

class History {
  entries = [];

  /** Adds an entry that is not answered yet; `open` is called when it is chosen. */
  add(entry, open) {
    const image = Object.assign(document.createElement('img'), { src: entry.url, alt: '' });
    image.addEventListener('error', () => image.replaceWith(document.createElement('i')));  // an empty square, not a torn picture
    const title = document.createElement('b');
    const small = Object.assign(document.createElement('small'), { textContent: entry.name });
    const words = document.createElement('span');
    words.append(title, small);
    title.textContent = '…';
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    button.append(image, words);
    button.addEventListener('click', () => open(entry));
    entry.item = document.createElement('li');
    entry.item.append(button);
    find('history-list').prepend(entry.item);
    this.entries.unshift(entry);
    find('history').hidden = false;
    while (this.entries.length > most) this.drop(this.entries.pop());
  }

  update(entry, model) {
    if (!entry.item) return;
    entry.item.querySelector('b').textContent = entry.answer ? verdictOf(entry).short : text('history_failed');
    entry.item.querySelector('small').textContent = entry.model ? `${entry.name} · ${model.name}` : entry.name;
  }

  mark(entry) {
    for (const one of this.entries) {
      const button = one.item.querySelector('button');
      if (one === entry) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  progress(words) {
    find('batch').textContent = words;
  }

  drop(entry) {
    entry.item.remove();
    URL.revokeObjectURL(entry.url);
  }

  forget() {
    for (const entry of this.entries) this.drop(entry);
    this.entries = [];
    find('history').hidden = true;
  }

  csv() {
    const lines = [['file', 'model', 'label', 'probability', 'error']];
    for (const entry of [...this.entries].reverse()) {
      const result = entry.answer?.results[0];
      lines.push(result
        ? [entry.name, entry.model, result.label, result.probabilities[result.label], '']
        : [entry.name, entry.model ?? '', '', '', entry.error?.code ?? '']);
    }
    return lines.map((line) => line.map(csvField).join(',')).join('\r\n');
  }
}

export const history = new History();

find('download').addEventListener('click', () => {
  const url = URL.createObjectURL(new Blob([history.csv()], { type: 'text/csv' }));
  Object.assign(document.createElement('a'), { href: url, download: 'burin.csv' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
