// The camera: exactly the picture that the model is shown, 160×120, as a JPEG for every micro-turn.
// Knows nothing of messages.

const WIDTH = 160;
const HEIGHT = 120;
const QUALITY = 0.9;

export class Camera {
  /** canvas: 160×120, shows what is sent. onEnd: called when the device is gone. */
  constructor(canvas, onEnd) {
    this.isOn = false;
    this._context = canvas.getContext("2d", { alpha: false });
    this._canvas = canvas;
    this._onEnd = onEnd;
    this._video = document.createElement("video");
    this._video.muted = true;
    this._video.playsInline = true;
    this._picture = null;
    this._wish = null; // of who has asked last and did not stop since
  }

  /** Asks for the camera; of no use when `stop` comes before the browser's answer. Throws what the
   * browser throws when there is none. */
  async start() {
    if (this._wish) return;
    const wish = (this._wish = {});
    try {
      const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video });
      if (wish !== this._wish) {
        stopTracks(stream);
        return;
      }
      this._stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => {
        this.stop();
        this._onEnd();
      });
      this._video.srcObject = stream;
      await this._video.play();
      this.isOn = wish === this._wish;
    } catch (error) {
      if (wish !== this._wish) return;
      this.stop();
      throw error;
    }
  }

  stop() {
    this._wish = null;
    this.isOn = false;
    stopTracks(this._stream);
    this._video.srcObject = null;
    this._picture = null;
    this._context.clearRect(0, 0, WIDTH, HEIGHT);
  }

  /** Look now; the picture is ready some milliseconds later. */
  look() {
    const { videoWidth, videoHeight } = this._video;
    if (!this.isOn || !videoWidth) return;
    const scale = Math.min(WIDTH / videoWidth, HEIGHT / videoHeight);
    const [width, height] = [videoWidth * scale, videoHeight * scale];
    this._context.fillRect(0, 0, WIDTH, HEIGHT);
    this._context.imageSmoothingQuality = "high";
    this._context.drawImage(
      this._video,
      (WIDTH - width) / 2,
      (HEIGHT - height) / 2,
      width,
      height,
    );
    this._canvas.toBlob(
      async (blob) => {
        if (blob && this.isOn) this._picture = new Uint8Array(await blob.arrayBuffer());
      },
      "image/jpeg",
      QUALITY,
    );
  }

  /** The newest picture that was not taken yet, or null. */
  take() {
    const picture = this._picture;
    this._picture = null;
    return picture;
  }
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
