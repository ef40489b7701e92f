// Runs where the browser makes sound: hands every block of the microphone to the page.

class Microphone extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage(samples.slice());
    return true;
  }
}
registerProcessor("microphone", Microphone);
