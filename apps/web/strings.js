// Every word of the page, in one table a language. To translate it: copy `en`, translate the values, add the
// copy to `tables`. A value with {holes} is filled in by `text(key, {holes})`.
const en = {
  lang: 'en',
  dir: 'ltr',
  skip: 'Skip to the result',
  heading_portraits: 'Real photograph or AI-generated?',
  heading_any: 'What does the model see?',
  lead: 'Give the model a picture and see what it makes of it, how sure it is, and where it looked.',
  model: 'Model',
  theme: 'Switch between light and dark',
  your_image: 'Your image',
  drop_title: 'Drop an image here',
  drop_hint: 'or click to choose. Ctrl+V pastes one. Up to {size}\u00a0MB, several at once.',
  drop_now: 'Let go to try it',
  choose: 'Choose image',
  webcam: 'Webcam',
  camera: 'What the camera sees',
  take_photo: 'Take photo',
  live: 'Live',
  stop_camera: 'Stop camera',
  clear: 'Clear',
  examples: 'Or try one of these',
  example: 'Example {number}',
  photo_alt: 'The picture that was given: {name}',
  heat_alt: 'Where the model looked for {label}, as colours over the picture',
  rotated: 'This file carries a rotation mark. It is shown as the model sees it, without.',
  cropped: 'The model sees the middle square of the picture.',

  result: 'Result',
  empty: 'The verdict appears here.',
  upload: 'Upload',
  uploading: 'Uploading…',
  percent: '{percent}\u00a0%',
  working: 'The model is looking…',
  waiting: 'Many are asking at the moment. Trying again…',
  verdict_ai: 'Looks AI\u2011generated',
  verdict_real: 'Looks like a real photograph',
  verdict_any: 'Looks like: {label}',
  verdict_unsure: 'Not sure',
  verdict_line: '{verdict}, {percent}\u00a0%',
  unsure_line: 'Not sure: {label}\u00a0{percent}\u00a0%',
  advice_unsure: 'The two most probable answers lie close together. Take this as no answer.',
  advice_ai: 'A classifier errs: smooth skin, filters and strong compression make real photographs look generated.',
  advice_real: 'A classifier errs: a good generator, or a small and compressed picture, can look real.',
  probability: '{label}: {percent}\u00a0%',
  band: 'between 40 and 60\u00a0%: not sure',
  decode: 'decode',
  preprocess: 'preprocess',
  forward: 'model',
  server: 'server, all',
  round_trip: 'with the network',
  ms: '{value}\u00a0ms',
  gradcam: 'Show where the model looked',
  gradcam_note: 'Grad-CAM: warm colours spoke for the class. A hint at a reason, no proof.',
  opacity: 'Opacity',
  for_class: 'For',
  copy_json: 'Copy as JSON',
  copy_curl: 'Copy as curl',
  copied: 'Copied',
  not_copied: 'The browser did not allow it',

  retry: 'Try again',
  error_title: 'That did not work',
  error_too_large: 'The file is too large: at most {size}\u00a0MB.',
  error_too_many_pixels: 'The picture has too many pixels: at most {pixels} million.',
  error_not_an_image: 'This is not an image that can be read. JPEG, PNG, WebP, GIF and BMP can.',
  error_broken_image: 'The image file is damaged or its end is missing.',
  error_empty_image: 'The file is empty.',
  error_busy: 'The server has too much to do at the moment. Try again in a few seconds.',
  error_too_many_requests: 'Too many connections from your address. Try again in a few seconds.',
  error_offline: 'The server cannot be reached. It may have been stopped.',
  error_camera: 'The camera cannot be used: {reason}',
  error_other: '{message}',

  history: 'Since the page was opened',
  batch: '{done} of {all} done',
  download_csv: 'Download as CSV',
  forget: 'Forget',
  history_line: '{label} · {percent}\u00a0%',
  history_unsure: 'not sure · {label} {percent}\u00a0%',
  history_failed: 'Failed',

  guidelines: 'Guidelines',
  guidelines_portraits: [
    'Portraits: one face, seen from the front, well lit.',
    'Use the original file. Screenshots and messengers compress, and that misleads the model.',
    'Between 40 and 60\u00a0% the answer is “not sure”. Believe it.',
    'Never the only evidence against anybody.',
  ],
  guidelines_any: [
    'Pictures like those the model was trained on.',
    'Use the original file: strong compression misleads the model.',
    'Where two answers lie close together, it says “not sure”. Believe it.',
    'It always chooses one of its classes, also for pictures of something else.',
  ],
  model_card: 'Model card',
  fact_architecture: 'Architecture',
  fact_classes: 'Classes',
  fact_accuracy: 'Accuracy, validation',
  fact_trained_on: 'Trained on',
  fact_date: 'Date',
  fact_input: 'Input',
  fact_parameters: 'Parameters',
  input: '{size} × {size} pixels',
  millions: '{value} million',
  privacy: 'Privacy',
  privacy_text: 'Images are not stored: each is held in memory until it is answered. The history lives in this page and goes when you close it.',
  api: 'For programs',
  api_link: 'Description of the API (OpenAPI)',
  byline: '{architecture} on {device}',
  footer: 'burin {release}',
};

const tables = { en };
const table = tables[navigator.language?.slice(0, 2)] ?? en;

/** The string of this key in the reader's language, its {holes} filled. */
export function text(key, holes = {}) {
  const words = table[key] ?? en[key];
  if (typeof words !== 'string') return words;
  return words.replace(/\{(\w+)\}/g, (hole, name) => holes[name] ?? hole);
}

/** Puts the words where the page's markup asks for them. */
export function fillPage() {
  document.documentElement.lang = text('lang');
  document.documentElement.dir = text('dir');
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', text(element.dataset.label));
}
