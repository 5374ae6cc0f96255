// The page: what is done with an image from the moment it is given, and the states that shows.
import { text, fillPage } from './strings.js';
import { predict, getJson, ServerError } from './api.js';
import { showResult, showVerdict, showFailure, verdictOf, showCard, celebrate } from './view.js';
import { Camera } from './camera.js';
import { history } from './history.js';

const find = (id) => document.getElementById(id);
const page = { model: null, limits: null, current: null, opened: new Map(), turn: 0 };

function setState(state) {
  document.body.dataset.state = state;
  find('result').setAttribute('aria-busy', String(state === 'uploading' || state === 'working'));
  find('progress').hidden = state !== 'uploading' && state !== 'working';
  if (state !== 'uploading') find('progress').removeAttribute('aria-valuenow');  // nobody knows how far the model is
}

// ---- an image on the stage ------------------------------------------------------------------------

/** Shows an entry {file, name, url} with its result, error, or neither yet. */
function show(entry) {
  page.current = entry;
  page.turn += 1;
  find('drop').hidden = true;
  find('preview').hidden = false;
  find('clear').hidden = false;
  find('heat').hidden = true;
  if (find('photo').src !== entry.url) {
    find('preview').classList.remove('broken');
    find('photo').src = entry.url;
  }
  find('photo').alt = text('photo_alt', { name: entry.name });
  find('caption').hidden = false;
  find('caption').textContent = entry.name;
  find('copied').textContent = '';
  if (entry.answer) showDone(entry);
  else if (entry.error) showError(entry);
  history.mark(entry);
}

function showDone(entry) {
  setState('done');
  showResult(entry, page.model);
  const result = entry.answer.results[0];
  const photo = find('photo');
  const turned = photo.naturalWidth && (result.width > result.height) !== (photo.naturalWidth > photo.naturalHeight)
    && result.width !== result.height;
  find('caption').textContent = turned ? `${entry.name} — ${text('rotated')}` : entry.name;
  showHeat(entry);
  bringIntoView(find('verdict'));
}

/** On a phone the result lies below the picture. */
function bringIntoView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  if (top >= 0 && bottom <= innerHeight) return;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  element.scrollIntoView({ block: 'center', behavior: still ? 'auto' : 'smooth' });
}

function showError(entry) {
  setState('error');
  showFailure(entry.error, page.limits);
}

function clear() {
  camera.stop();
  page.current = null;
  page.turn += 1;
  setState('idle');
  find('drop').hidden = false;
  for (const id of ['preview', 'caption', 'clear', 'details', 'failure', 'advice']) find(id).hidden = true;
  find('empty').hidden = false;
  find('file').value = '';
  showVerdict('', null);
  history.mark(null);
  find('file').focus();
}

// ---- asking the server ----------------------------------------------------------------------------

/** Asks about one entry; shows progress while it is the one on the stage. */
async function ask(entry, options = {}) {
  const watched = () => page.current === entry;
  if (watched()) begin();
  const started = performance.now();
  try {
    if (entry.file.size > page.limits.upload_bytes) throw new ServerError('too_large', '');
    entry.answer = await predict(entry.file, { model: page.model.name, topk: page.model.classes.length, ...options }, {
      progress: (percent) => { if (watched()) showProgress(percent); },
      working: () => { if (watched()) { setState('working'); showVerdict(text('working'), 'busy'); } },
      waiting: () => { if (watched()) showVerdict(text('waiting'), 'busy'); },
    });
    entry.model = page.model.name;
    entry.error = null;
    entry.roundTrip = performance.now() - started;
  } catch (error) {
    entry.error = error;
    entry.answer = null;
  }
  if (!watched()) return;
  if (entry.error) showError(entry);
  else showDone(entry);
}

function begin() {
  find('failure').hidden = true;
  find('empty').hidden = true;
  find('advice').hidden = true;
  find('details').hidden = true;
  showProgress(0);
}

function showProgress(percent) {
  setState('uploading');
  find('progress').firstElementChild.style.inlineSize = `${percent}%`;
  find('progress').setAttribute('aria-valuenow', String(Math.round(percent)));
  showVerdict(text('uploading'), 'busy');
  find('percent').textContent = text('percent', { percent: Math.round(percent) });
}

function entryOf(file, name = file.name || 'image') {
  return { file, name, url: URL.createObjectURL(file), answer: null, error: null, roundTrip: 0 };
}

/** Several files are asked about two at a time; the first is shown. */
async function take(files) {
  const entries = [...files].map((file) => entryOf(file));
  if (entries.length === 0 || !page.model) return;
  camera.stop();
  for (const entry of entries) history.add(entry, show);
  show(entries[0]);
  let done = 0;
  const rest = [...entries];
  const worker = async () => {
    for (let entry = rest.shift(); entry; entry = rest.shift()) {
      await ask(entry);
      done += 1;
      history.update(entry, page.model);
      history.progress(entries.length > 1 && done < entries.length ? text('batch', { done, all: entries.length }) : '');
    }
  };
  await Promise.all([worker(), worker()]);
  if (entries.length === 1 && page.current === entries[0] && entries[0].answer) celebrate(verdictOf(entries[0]));
}

// ---- Grad-CAM -------------------------------------------------------------------------------------

/** Puts the heat map over the part of the photo that the model saw. */
async function showHeat(entry) {
  const wanted = find('gradcam-on').checked;
  find('gradcam-controls').hidden = !wanted;
  const heat = find('heat');
  if (!wanted) { heat.hidden = true; return; }
  const result = entry.answer.results[0];
  const chosen = find('target').value || result.label;
  if (!result.gradcam || result.gradcam_class !== chosen) {
    const turn = page.turn;
    try {
      const answer = await predict(entry.file, { model: entry.model, topk: page.model.classes.length, gradcam: 1, target: chosen }, {});
      const { gradcam, gradcam_box, gradcam_class } = answer.results[0];
      Object.assign(result, { gradcam, gradcam_box, gradcam_class });
    } catch (error) {
      if (page.current === entry) showFailure(error, page.limits);
      return;
    }
    if (turn !== page.turn) return;
  }
  const [left, top, width, height] = result.gradcam_box;
  heat.src = result.gradcam;
  heat.alt = text('heat_alt', { label: chosen });
  heat.style.left = `${(100 * left) / result.width}%`;
  heat.style.top = `${(100 * top) / result.height}%`;
  heat.style.width = `${(100 * width) / result.width}%`;
  heat.style.height = `${(100 * height) / result.height}%`;
  heat.style.opacity = String(find('opacity').value / 100);
  heat.hidden = false;
}

// ---- copying --------------------------------------------------------------------------------------

async function copy(words) {
  let done = true;
  try {
    await navigator.clipboard.writeText(words);
  } catch {  // not in a secure context: the old way
    const area = document.createElement('textarea');
    area.value = words;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  find('copied').textContent = text(done ? 'copied' : 'not_copied');
}

function asJson(entry) {
  const shortened = (key, value) => (key === 'gradcam' ? `${value.slice(0, 40)}…` : value);
  return JSON.stringify(entry.answer, shortened, 2);
}

function asCurl(entry) {
  const name = entry.name.replaceAll("'", "'\\''");
  return `curl -F 'image=@${name}' '${location.origin}/api/v1/predict?model=${encodeURIComponent(entry.model)}'`;
}

// ---- start ----------------------------------------------------------------------------------------

async function choose(model) {
  page.model = model;
  showCard(model, page);
  const targets = find('target');
  targets.replaceChildren(...model.classes.map((name) => new Option(name, name)));
  if (page.current) {
    await ask(page.current);
    history.update(page.current, model);
  }
}

async function start() {
  fillPage();
  wire();
  try {
    const { models, limits, release } = await getJson('/api/v1/model');
    Object.assign(page, { models, limits, release });
    find('model').replaceChildren(...models.map((model) => new Option(model.name, model.name)));
    find('picker').hidden = models.length < 2;
    find('drop-hint').textContent = text('drop_hint', { size: Math.floor(limits.upload_bytes / 1048576) });
    find('footer').textContent = text('footer', { release });
    await choose(models[0]);
    await showExamples();
  } catch (error) {
    setState('error');
    showFailure(error, page.limits);
  }
}

async function showExamples() {
  const { examples } = await getJson('/api/v1/examples');
  find('examples').hidden = examples.length === 0;
  find('example-list').replaceChildren(...examples.map(({ name, url }, index) => {
    const image = Object.assign(document.createElement('img'), { src: url, alt: text('example', { number: index + 1 }), loading: 'lazy' });
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    button.append(image);
    button.addEventListener('click', async () => take([new File([await (await fetch(url)).blob()], name)]));
    const item = document.createElement('li');
    item.append(button);
    return item;
  }));
}

const camera = new Camera({
  photo: (blob) => { take([new File([blob], 'webcam.jpg', { type: 'image/jpeg' })]); find('clear').focus(); },
  frame: async (blob) => {
    const entry = { file: blob, name: 'webcam.jpg', url: '', model: page.model.name, answer: null, roundTrip: 0 };
    const started = performance.now();
    entry.answer = await predict(blob, { model: page.model.name, topk: page.model.classes.length }, {});
    entry.roundTrip = performance.now() - started;
    find('empty').hidden = true;
    find('failure').hidden = true;
    showResult(entry, page.model);
  },
  opened: () => { clear(); find('drop').hidden = true; find('clear').hidden = true; },
  closed: () => { if (!page.current) { find('drop').hidden = false; } },
  failed: (reason) => showFailure(new ServerError('camera', reason), page.limits),
});

function wireDrop() {
  let depth = 0;
  const dragging = (on) => find('stage').classList.toggle('dragging', on);
  addEventListener('dragenter', (event) => { event.preventDefault(); depth += 1; dragging(true); });
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('dragleave', () => { depth -= 1; if (depth <= 0) dragging(false); });
  addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    dragging(false);
    take(event.dataTransfer.files);
  });
}

function wire() {
  for (const id of ['file', 'capture']) {
    find(id).addEventListener('change', (event) => { take([...event.target.files]); event.target.value = ''; });
  }
  wireDrop();
  find('drop').addEventListener('click', () => find('file').click());
  addEventListener('paste', (event) => { if (event.clipboardData.files.length > 0) take(event.clipboardData.files); });
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    if (camera.open) camera.stop();
    else if (page.current) clear();
  });
  find('photo').addEventListener('error', () => find('preview').classList.add('broken'));
  find('clear').addEventListener('click', clear);
  find('retry').addEventListener('click', () => {
    if (!page.current) return location.reload();
    find('result').focus();  // the button is about to go
    return ask(page.current);
  });
  find('model').addEventListener('change', (event) => choose(page.models.find((model) => model.name === event.target.value)));
  for (const id of ['gradcam-on', 'target']) {
    find(id).addEventListener('change', () => { if (page.current?.answer) showHeat(page.current); });
  }
  find('opacity').addEventListener('input', (event) => { find('heat').style.opacity = String(event.target.value / 100); });
  find('copy-json').addEventListener('click', () => copy(asJson(page.current)));
  find('copy-curl').addEventListener('click', () => copy(asCurl(page.current)));
  find('forget').addEventListener('click', () => { history.forget(); clear(); });
  find('theme').addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
  });
  camera.offer();
}

start();
