// What a result looks like.
import { text } from './strings.js';

const find = (id) => document.getElementById(id);
const unsureBelow = 0.2;  // the two first closer than this: between 40 and 60 % where there are two classes

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const percentOf = (probability) => (100 * probability).toFixed(1);
const isGenerated = (label) => /^(ai|fake|generated|synthetic)$/i.test(label);
const isReal = (label) => /^(real|photo|genuine)$/i.test(label);
export const arePortraits = (classes) => classes.some(isGenerated) && classes.some(isReal);

/** {tone, mark, words, short, advice}: what to say of an entry that is answered. */
export function verdictOf(entry) {
  const { label, probabilities } = entry.answer.results[0];
  const [first, second = 0] = Object.values(probabilities).sort((a, b) => b - a);
  const percent = percentOf(first);
  if (first - second < unsureBelow) {
    return {
      tone: 'doubt',
      mark: '?',
      words: text('unsure_line', { label, percent }),
      short: text('history_unsure', { label, percent }),
      advice: text('advice_unsure'),
    };
  }
  const generated = isGenerated(label);
  const real = isReal(label);
  const verdict = generated ? text('verdict_ai') : real ? text('verdict_real') : text('verdict_any', { label });
  return {
    tone: generated ? 'warn' : 'sure',
    mark: generated ? '!' : '✓',
    words: text('verdict_line', { verdict, percent }),
    short: text('history_line', { label, percent }),
    advice: generated ? text('advice_ai') : real ? text('advice_real') : '',
  };
}

/** The line at the top of the result; `tone` null hides the badge, 'busy' is for what is under way. */
export function showVerdict(words, tone, mark = '') {
  const verdict = find('verdict');
  verdict.classList.toggle('shown', tone !== null && tone !== 'busy');
  verdict.classList.toggle('busy', tone === 'busy');
  verdict.dataset.tone = tone ?? '';
  find('badge').textContent = mark;
  find('percent').textContent = '';  // which is not read out: it changes too often
  if (find('verdict-text').textContent !== words) find('verdict-text').textContent = words;
}

function bar(label, probability) {
  const percent = percentOf(probability);
  const fill = make('div', { className: 'fill' });
  const meter = make('div', { className: 'meter' }, fill);
  meter.setAttribute('aria-hidden', 'true');  // the words above say the same
  requestAnimationFrame(() => { fill.style.inlineSize = `${percent}%`; });
  const words = make('div', { className: 'words' }, make('span', { textContent: label }), make('span', { textContent: `${percent} %` }));
  return make('li', {}, words, meter);
}

function showBars(probabilities) {
  const most = 8;
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, most);
  const two = Object.keys(probabilities).length === 2;
  find('bars').classList.toggle('two', two);
  find('bars').replaceChildren(...sorted.map(([label, probability]) => bar(label, probability)));
  if (two) find('bars').append(make('li', { className: 'band-note', textContent: text('band') }));
}

function showTimes(entry) {
  const { ms } = entry.answer.results[0];
  const stages = [['decode', ms.decode], ['preprocess', ms.preprocess], ['forward', ms.forward],
    ['server', entry.answer.ms_total], ['round_trip', entry.roundTrip]];
  find('times').replaceChildren(...stages.map(([name, value]) => make('div', {},
    make('dt', { textContent: text(name) }),
    make('dd', { textContent: text('ms', { value: value.toFixed(value < 100 ? 1 : 0) }) }))));
}

export function showResult(entry) {
  const verdict = verdictOf(entry);
  find('failure').hidden = true;
  find('empty').hidden = true;
  find('details').hidden = false;
  find('target').value = entry.answer.results[0].gradcam_class ?? entry.answer.results[0].label;
  showVerdict(verdict.words, verdict.tone, verdict.mark);
  find('advice').hidden = !verdict.advice;
  find('advice').textContent = verdict.advice;
  showBars(entry.answer.results[0].probabilities);
  showTimes(entry);
}

// The file is to blame: the same one again would end the same way.
const ofTheFile = new Set(['too_large', 'too_many_pixels', 'not_an_image', 'unsupported_media_type', 'broken_image', 'empty_image']);

export function showFailure(error, limits) {
  const holes = {
    size: limits ? Math.floor(limits.upload_bytes / 1048576) : '',
    pixels: limits ? limits.pixels / 1e6 : '',
    message: error.message,
    reason: error.message,
  };
  const known = text(`error_${error.code}`, holes);
  showVerdict('', null);
  for (const id of ['empty', 'details', 'advice']) find(id).hidden = true;
  find('failure-title').textContent = text('error_title');
  find('failure-text').textContent = known ?? text('error_other', holes);
  find('retry').hidden = ofTheFile.has(error.code);
  find('failure').hidden = false;
}

// ---- the model -------------------------------------------------------------------------------------

export function showCard(model, { release }) {
  const portraits = arePortraits(model.classes);
  find('heading').textContent = text(portraits ? 'heading_portraits' : 'heading_any');
  document.title = `${find('heading').textContent} · burin`;
  find('byline').textContent = text('byline', { architecture: model.architecture, device: model.device });
  const shown = model.classes.length > 6 ? `${model.classes.slice(0, 5).join(', ')}, … (${model.classes.length})` : model.classes.join(', ');
  const facts = [
    ['architecture', model.architecture],
    ['classes', shown],
    ['accuracy', model.accuracy === undefined ? undefined : `${percentOf(model.accuracy)} %`],
    ['trained_on', model.trained_on],
    ['date', model.date],
    ['input', text('input', { size: model.image_size })],
    ['parameters', text('millions', { value: (model.parameters / 1e6).toFixed(2) })],
  ];
  find('facts').replaceChildren(...facts.filter(([, value]) => value !== undefined).map(([name, value]) => make('div', {},
    make('dt', { textContent: text(`fact_${name}`) }), make('dd', { textContent: value }))));
  find('guidelines').replaceChildren(...text(portraits ? 'guidelines_portraits' : 'guidelines_any').map((line) => make('li', { textContent: line })));
}

// ---- feedback --------------------------------------------------------------------------------------

/** Confetti for a real photograph (or any sure answer), a shake of the badge for doubt. */
export function celebrate({ tone }) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  if (tone !== 'sure') {
    find('verdict').classList.remove('hm');
    requestAnimationFrame(() => find('verdict').classList.add('hm'));
    return;
  }
  const colours = ['#d98a4b', '#2b6f8f', '#6ecfa4', '#ebbd5b', '#a3292b'];
  const pieces = Array.from({ length: 36 }, (_, index) => {
    const piece = make('i');
    piece.style.insetInlineStart = `${Math.random() * 100}%`;
    piece.style.background = colours[index % colours.length];
    piece.style.animationDelay = `${Math.random() * 0.35}s`;
    piece.style.setProperty('--drift', `${(Math.random() - 0.5) * 8}rem`);
    piece.style.setProperty('--turn', `${(Math.random() - 0.5) * 900}deg`);
    return piece;
  });
  find('celebration').replaceChildren(...pieces);
  setTimeout(() => find('celebration').replaceChildren(), 2200);
}
