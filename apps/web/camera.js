// The webcam: one photo, or live, a frame after the other as fast as the answers come.
const find = (id) => document.getElementById(id);
const liveInterval = 250;  // ms between frames at least: the others want their turn
const frameWidth = 640;

export class Camera {
  #told;
  #stream = null;
  #live = false;

  /** `told`: what happens with a photo, a live frame, when the camera opens, closes, fails. */
  constructor(told) {
    this.#told = told;
  }

  get open() {
    return this.#stream !== null;
  }

  /** Shows the buttons where there is a camera to use: browsers give it to secure pages only. */
  offer() {
    const usable = window.isSecureContext && navigator.mediaDevices?.getUserMedia;
    find('webcam').hidden = !usable;
    find('snapshot').hidden = Boolean(usable) || !matchMedia('(pointer: coarse)').matches;
    find('webcam').addEventListener('click', () => this.start());
    find('shoot').addEventListener('click', async () => {
      const blob = await this.#frame();
      this.stop();
      this.#told.photo(blob);
    });
    find('live').addEventListener('click', () => (this.#live ? this.#endLive() : this.#runLive()));
    find('stop-camera').addEventListener('click', () => { this.stop(); find('webcam').focus(); });
  }

  async start() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: 'user' } });
    } catch (error) {
      this.#told.failed(error.message);
      return;
    }
    const stream = this.#stream;
    this.#told.opened();
    this.#stream = stream;
    find('video').srcObject = stream;
    await find('video').play();
    this.#show(true);
    find('shoot').focus();
  }

  stop() {
    if (!this.#stream) return;
    this.#endLive();
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = null;
    find('video').srcObject = null;
    this.#show(false);
    this.#told.closed();
  }

  #show(on) {
    for (const id of ['camera', 'shoot', 'live', 'stop-camera']) find(id).hidden = !on;
    find('webcam').hidden = on;
  }

  #frame() {
    const video = find('video');
    const canvas = document.createElement('canvas');
    canvas.width = Math.min(frameWidth, video.videoWidth);
    canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
    canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.9); });
  }

  async #runLive() {
    this.#setLive(true);
    while (this.#live) {
      const started = performance.now();
      try {
        await this.#told.frame(await this.#frame());
      } catch (error) {
        this.#endLive();
        this.#told.failed(error.message);
        return;
      }
      const rest = Math.max(0, liveInterval - (performance.now() - started));
      await new Promise((resolve) => { setTimeout(resolve, rest); });
    }
  }

  #endLive() {
    this.#setLive(false);
  }

  /** While it runs, a screen reader is not told of every frame. */
  #setLive(on) {
    this.#live = on;
    find('live').setAttribute('aria-pressed', String(on));
    find('verdict').setAttribute('aria-live', on ? 'off' : 'polite');
  }
}
