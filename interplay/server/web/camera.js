// The camera: exactly the picture that the model is shown, 160×120, as a JPEG for every micro-turn.
// Knows nothing of messages.

const WIDTH = 160;
const HEIGHT = 120;
const QUALITY = 0.9;

export class Camera {
  /** canvas: 160×120, shows what is sent. */
  constructor(canvas) {
    this.isOn = false;
    this._context = canvas.getContext("2d", { alpha: false });
    this._canvas = canvas;
    this._video = document.createElement("video");
    this._video.muted = true;
    this._video.playsInline = true;
    this._picture = null;
  }

  /** Asks for the camera. Throws what the browser throws when there is none. */
  async start() {
    const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } };
    this._stream = await navigator.mediaDevices.getUserMedia({ video });
    this._video.srcObject = this._stream;
    await this._video.play();
    this.isOn = true;
    this._stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
  }

  stop() {
    this.isOn = false;
    for (const track of this._stream?.getTracks() ?? []) track.stop();
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
